// Styles are imported for their effect: the build collects them in the order of these imports.
declare module '*.css';
