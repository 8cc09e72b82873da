/** Entry point of the chat page: connects its rooms. */
import './shell/tokens.css';
import './shell/base.css';
import './shell/layout.css';
import './shell/print.css';
import { Composer } from './composer/composer.ts';
import { startConversationView } from './conversation/conversation-view.ts';
import { startScrolling } from './conversation/scrolling.ts';
import { startPanel } from './measurements/panel.ts';
import { followAddress } from './model/address.ts';
import { Conversation } from './model/conversation.ts';
import { byId } from './parts/dom.ts';
import { startReading } from './reading/render-answer.ts';
import { startSessionList } from './sessions/session-list.ts';
import { SessionStore } from './sessions/session-store.ts';
import { startConnectionBar } from './shell/connection-bar.ts';
import { startShell } from './shell/shell.ts';
import { applyTheme } from './shell/theme.ts';

applyTheme();
startReading();
const conversation = new Conversation();
const sessions = new SessionStore(conversation);
const composer = new Composer(conversation);
const sessionList = startSessionList(byId('sessions', HTMLElement), sessions, conversation);
startShell({ conversation, composer, sessions, sessionList });
startConnectionBar(byId('connection', HTMLElement));
startConversationView(conversation);
startScrolling(conversation);
startPanel(byId('measured', HTMLElement), conversation);
// Last, because everything listens to what it opens.
followAddress(conversation);
