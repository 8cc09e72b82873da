/** Entry point of the Functions worker: one module, because every file that is opened slows a cold start down. */
import './functions/routes.ts';
