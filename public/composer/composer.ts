/** The input: Enter sends, Shift+Enter starts a line, Escape stops, the arrow keys recall earlier questions. */
import './composer.css';
import { failureFrom } from '../api/failure.ts';
import { copySession } from '../api/sessions.ts';
import { askIn } from '../model/address.ts';
import type { Conversation } from '../model/conversation.ts';
import type { Turn } from '../model/turn.ts';
import { byId } from '../parts/dom.ts';
import { isCovered } from '../parts/sheet.ts';
import { showToast } from '../parts/toast.ts';
import { Drafts } from './drafts.ts';
import { EditNote } from './edit-note.ts';
import { scrollWithGrowth } from './growth.ts';
import { isComposing, isPlain } from './keys.ts';
import { LengthNote } from './length-note.ts';
import { QueueView } from './queue-view.ts';
import { Recall } from './recall.ts';

/**
 * An earlier question in the input. `turn` gives way to it; without a turn, it is asked in a new conversation, which begins
 * with what is before `position`.
 */
interface Edit {
  turn?: Turn;
  position?: string | undefined;
  /** The text before any change. */
  question: string;
  /** The text that was in the input before. */
  before: string;
}

/** The form at the bottom of the page. */
export class Composer {
  readonly #conversation: Conversation;
  readonly #form = byId('composer', HTMLFormElement);
  readonly #input = byId('question', HTMLTextAreaElement);
  readonly #send = byId('send', HTMLButtonElement);
  readonly #stop = byId('stop', HTMLButtonElement);
  readonly #drafts = new Drafts();
  readonly #recall = new Recall(this.#input);
  readonly #length = new LengthNote(this.#input);
  readonly #queue: QueueView;
  readonly #editNote = new EditNote(() => this.#cancelEdit());
  #edit: Edit | undefined;
  #isBranching = false;

  constructor(conversation: Conversation) {
    this.#conversation = conversation;
    this.#queue = new QueueView(conversation, () => this.focus());
    this.#form.prepend(this.#queue.root, this.#editNote.root);
    this.#form.append(this.#length.root);
    this.#input.setAttribute('aria-describedby', 'edit-note length keys');
    conversation.busyChanged.listen((isBusy) => this.#show(isBusy));
    conversation.opened.listen(() => this.#open());
    conversation.sessionStarted.listen((id) => this.#drafts.move(id));
    conversation.editRequested.listen((turn) => this.#startEdit(turn));
    conversation.settled.listen((turn) => this.#takeBack(turn));
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#input.addEventListener('keydown', (event) => this.#press(event));
    this.#input.addEventListener('input', () => this.#changed());
    this.#fit();
    scrollWithGrowth(this.#form);
    this.#stop.addEventListener('click', () => this.#stopAnswer());
    addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !event.shiftKey && !isComposing(event) && !isCovered()) this.#escape();
    });
  }

  focus(): void {
    this.#input.focus({ preventScroll: true });
  }

  #submit(): void {
    const question = this.#input.value;
    if (question.trim() === '') return;
    if (this.#length.excess > 0) {
      void showToast(`The question is too long by ${this.#length.excess} characters. Shorten it.`);
      return;
    }
    const edit = this.#edit;
    if (edit && !edit.turn) return void this.#branch(edit, question);
    const { isBusy } = this.#conversation;
    if (edit && isBusy)
      return void showToast('Another answer is still coming. Wait for its end, or stop it.');
    this.#endEdit();
    if (isBusy) this.#queue.add(question);
    else if (edit?.turn) this.#conversation.replace(edit.turn, question);
    else this.#conversation.start(question);
  }

  /** Asks an edited question in a copy of the conversation up to it. */
  async #branch({ position }: Edit, question: string): Promise<void> {
    const { sessionId } = this.#conversation;
    if (this.#isBranching) return;
    this.#isBranching = true;
    try {
      const copy =
        sessionId === null || position === undefined ? null : await copySession(sessionId, position);
      if (this.#conversation.sessionId !== sessionId) return;
      this.#endEdit();
      void showToast('Asked in a new conversation. The Back button returns to the earlier one.');
      await askIn(this.#conversation, copy, question);
    } catch (error) {
      void showToast(`The conversation could not be copied. ${failureFrom(error).message}`);
    } finally {
      this.#isBranching = false;
    }
  }

  #press(event: KeyboardEvent): void {
    if (isComposing(event)) return;
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      this.#form.requestSubmit();
      return;
    }
    if (this.#edit || !isPlain(event)) return;
    const questions = this.#conversation.turns.map(({ question }) => question);
    const text = this.#recall.textFor(event, questions);
    if (text === undefined) return;
    event.preventDefault();
    this.#write(text);
  }

  #escape(): void {
    if (this.#conversation.isBusy) this.#stopAnswer();
    else if (document.activeElement !== this.#input) return;
    else if (this.#recall.isActive) this.#write(this.#recall.end());
    else if (this.#edit) this.#cancelEdit();
  }

  #stopAnswer(): void {
    this.#conversation.stop();
    this.focus();
  }

  /** Shows the draft of the conversation that was opened. */
  #open(): void {
    const { text, isBranch, position, before } = this.#drafts.open(this.#conversation.sessionId);
    this.#recall.end();
    this.#enter(isBranch ? { question: text, position, before } : undefined, text);
  }

  /** Puts the question of a turn into the input. */
  #startEdit(turn: Turn): void {
    const before = this.#edit ? this.#edit.before : this.#input.value;
    const { question, position } = turn;
    this.#enter({ question, before, position, ...(turn.state !== 'answered' && { turn }) }, question);
    this.focus();
  }

  /** Puts a question that was refused as too long back into the input, where it can be shortened. */
  #takeBack(turn: Turn): void {
    if (!turn.failure) return;
    this.#length.learn(turn.failure);
    const isTooLong = ['question_too_long', 'body_too_large'].includes(turn.failure.code ?? '');
    if (isTooLong && this.#input.value === '') this.#startEdit(turn);
  }

  /** Gives the edit up, and the text from before it returns. */
  #cancelEdit(): void {
    const edit = this.#edit;
    const text = this.#input.value;
    if (!edit) return;
    this.#endEdit();
    this.focus();
    if (text.trim() !== '' && text !== edit.question) void this.#offerUndo(edit, text);
  }

  async #offerUndo(edit: Edit, text: string): Promise<void> {
    const { sessionId } = this.#conversation;
    const end = await showToast('The edited question was discarded.', 'Undo');
    if (end !== 'action' || this.#conversation.sessionId !== sessionId) return;
    this.#enter({ ...edit, before: this.#input.value }, text);
    this.focus();
  }

  #endEdit(): void {
    this.#enter(undefined, this.#edit?.before ?? '');
  }

  #enter(edit: Edit | undefined, text: string): void {
    this.#edit = edit;
    this.#editNote.show(edit && (edit.turn ? 'replacement' : 'branch'));
    this.#write(text);
  }

  #write(text: string): void {
    this.#input.value = text;
    this.#input.setSelectionRange(text.length, text.length);
    this.#changed();
  }

  #changed(): void {
    this.#fit();
    this.#length.update();
    const isBranch = this.#edit !== undefined && !this.#edit.turn;
    const { before = '', position } = this.#edit ?? {};
    this.#drafts.keep({ text: this.#input.value, isBranch, position, before });
  }

  /** Shows the Stop or the Send button. */
  #show(isBusy: boolean): void {
    this.#send.hidden = isBusy;
    this.#stop.hidden = !isBusy;
    // Takes the focus only if no visible element has it, for example after its button was hidden.
    const { activeElement } = document;
    if (!activeElement || activeElement === document.body || activeElement.closest('[hidden]')) this.focus();
  }

  /** Fits the height to the text; composer.css limits it. */
  #fit(): void {
    this.#input.style.height = 'auto';
    this.#input.style.height = `${this.#input.scrollHeight}px`;
  }
}
