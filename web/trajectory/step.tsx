import { Meter } from '../parts/bar.tsx';
import { figure, percent } from '../parts/format.ts';
import { Code } from '../parts/code.tsx';
import type { StepRow } from './rows.ts';

/** One step: the state, what was done, what came of it, and how likely that was. */
export function StepCard({ step }: { step: StepRow }): preact.JSX.Element {
  return (
    <li class={step.error ? 'step step-error' : 'step'}>
      <div class="step-head">
        <h3>
          <span class="step-number">{step.step + 1}</span>{' '}
          {step.tool || (step.mistake === '' ? 'no call' : step.mistake.replaceAll('_', ' '))}
          {step.verified && <span class="tag tag-good">verified</span>}
          {step.error && <span class="tag tag-bad">error</span>}
        </h3>
        <StepFigures step={step} />
      </div>
      <div class="step-body">
        <div class="step-flow">
          <Part name="State" value={step.state} folded />
          <Part name="Wrote" value={step.wrote} />
          <Part name="Arguments" value={step.arguments} />
          <Part name="Result" value={step.result} />
          <Part name="State after" value={step.state_after} folded />
        </div>
        <Choices step={step} />
      </div>
    </li>
  );
}

function StepFigures({ step }: { step: StepRow }): preact.JSX.Element {
  const milliseconds = (us: number | string): string => `${figure(Number(us) / 1000, 2)} ms`;
  return (
    <dl class="step-figures">
      {step.step_reward !== null && (
        <div>
          <dt>reward</dt>
          <dd>{figure(step.step_reward)}</dd>
        </div>
      )}
      {step.advantage !== null && (
        <div>
          <dt>advantage</dt>
          <dd>{figure(step.advantage)}</dd>
        </div>
      )}
      <div>
        <dt>plan</dt>
        <dd>{milliseconds(step.plan_us)}</dd>
      </div>
      <div>
        <dt>tool</dt>
        <dd>{milliseconds(step.tool_us)}</dd>
      </div>
    </dl>
  );
}

/** Texts of tools and models are only ever text. */
function Part({ name, value, folded = false }: { name: string; value: string; folded?: boolean }): preact.JSX.Element | null {
  if (value === '' || value === '{}') return null;
  if (folded)
    return (
      <details class="part">
        <summary>{name}</summary>
        <Code text={value} />
      </details>
    );
  return (
    <div class="part">
      <h4>{name}</h4>
      <Code text={value} />
    </div>
  );
}

function Choices({ step }: { step: StepRow }): preact.JSX.Element {
  const others = step.other_actions.map((name, i) => ({ name, probability: step.other_probabilities[i] ?? 0 }));
  const shown = 1 + others.length;
  return (
    <div class="choices">
      <h4>
        {step.open_actions > 0 ? `${step.open_actions} open` : 'Probability'}{' '}
        <span class="muted">entropy {figure(step.entropy, 2)}</span>
      </h4>
      <ul>
        <Choice name={step.tool || 'this'} probability={step.probability} chosen />
        {others.map(({ name, probability }, i) => (
          <Choice key={i} name={name} probability={probability} />
        ))}
      </ul>
      {step.open_actions > shown && <p class="muted">and {step.open_actions - shown} less likely ones</p>}
    </div>
  );
}

function Choice({
  name,
  probability,
  chosen = false,
}: {
  name: string;
  probability: number;
  chosen?: boolean;
}): preact.JSX.Element {
  return (
    <li class={chosen ? 'choice chosen' : 'choice'}>
      <span class="choice-name">{name}</span>
      <span class="figure">{percent(probability)}</span>
      <Meter label={`Probability of ${name}`} share={probability} colour={chosen ? 'accent' : 'line-strong'} />
    </li>
  );
}
