import './style.css';
import type { TraceOfRun } from '../../trace.ts';
import { Colours } from './colours.ts';
import { showDetails } from './details.ts';
import { byId } from './dom.ts';
import { listenForKeys } from './keys.ts';
import { showOverview } from './overview.ts';
import { Session } from './session.ts';
import { showSummary } from './summary.ts';
import { Timeline } from './timeline.ts';
import { showTools } from './tools.ts';

const run = JSON.parse(byId('run').textContent) as TraceOfRun;
const session = new Session(run);
const redrawn: (() => void)[] = [];
const colours = new Colours(() => {
  for (const redraw of redrawn) redraw();
});

showSummary(run, byId('summary'));
const field = showTools(session, byId('tools'));
redrawn.push(showOverview(session, colours, byId('overview')));
redrawn.push(new Timeline(session, colours, byId('timeline')).redraw);
showDetails(session, byId('side'));
listenForKeys(session, field);
