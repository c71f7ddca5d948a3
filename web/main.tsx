import { render } from 'preact';
import 'uplot/dist/uPlot.min.css';
import './style/tokens.css';
import './style/base.css';
import './style/shell.css';
import './style/parts.css';
import './style/views.css';
import { App } from './app/app.tsx';
import { applyTheme } from './app/theme.ts';

applyTheme();
render(<App />, document.getElementById('app')!);
