/** Runs once for all test files: builds the app. */
import { buildAppIfChanged } from '../../dev/bundle/bundle.ts';

export default buildAppIfChanged;
