/** Keeps what was read above the input when the input grows. */

/** Scrolls the page by the height that `element`, which is fixed to the bottom of the window, gains from now on. */
export function scrollWithGrowth(element: HTMLElement): void {
  let height = element.offsetHeight;
  new ResizeObserver(() => {
    const growth = element.offsetHeight - height;
    height += growth;
    if (growth > 0) scrollBy({ top: growth });
  }).observe(element);
}
