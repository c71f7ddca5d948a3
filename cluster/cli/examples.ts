import type { Command } from 'commander';
import { leavesOf } from './command-tree.ts';

/** Command lines that the help of a command shows, without the leading `millrace`, by the words of the command. */
export const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  up: ['up', 'up --rollouts 4 --set ports.admin=7000'],
  train: ['train examples/retail/job.yaml', 'train job.yaml --set rounds=100 --report report.json', 'train --resume'],
  tune: ['tune tune.yaml', 'tune tune.yaml --resume'],
  eval: ['eval --checkpoint .millrace/checkpoints/retail-1/60', 'eval job.yaml --checkpoint FOLDER --tasks tasks.jsonl'],
  sql: ['sql "SELECT count() FROM trajectories"', 'sql - -o json < question.sql'],
  query: ['query', 'query tool-use --job retail-1', 'query tasks --param limit=5 --csv'],
  export: ['export --job retail-1 > retail.jsonl', 'export --format parquet --out retail.parquet'],
  import: ['import retail.jsonl', 'import others.jsonl --job others --skip-invalid'],
  doctor: ['doctor', 'doctor --remove jobs/retail-1 --yes'],
  'cluster up': ['cluster up'],
  'cluster check': ['cluster check', 'cluster check --remove leases/jobs.retail-1 --yes'],
  'job run': ['job run job.yaml --set rounds=100'],
  'job tune': ['job tune tune.yaml'],
  'job create': ['job create job.yaml', 'job create job.yaml --owner ann --priority 10 --from retail-1@60'],
  'job list': ['job list', 'job list --status running,paused -o json', 'job list --mine'],
  'job estimate': ['job estimate job.yaml --groups 5 --set rounds=500'],
  'job describe': ['job describe retail-1'],
  'job watch': ['job watch retail-1', 'job watch retail-1 -o json', 'job watch --owner ann'],
  report: ['report retail-1', 'report retail-1 --queries-per-month 50000 --price-per-solved 0.25'],
  'job report': ['job report retail-1 -o json'],
  'job evaluate': ['job evaluate retail-1', 'job evaluate retail-1@60'],
  'job pause': ['job pause retail-1', 'job pause --all'],
  'job resume': ['job resume retail-1', 'job resume --status paused,failed'],
  'job cancel': ['job cancel retail-1', 'job cancel --status queued --yes'],
  'job set-priority': ['job set-priority retail-1 10', 'job set-priority retail-1 -- -10'],
  'job checkpoints': ['job checkpoints retail-1'],
  'job fork': ['job fork retail-1', 'job fork retail-1@60 --set rounds=500'],
  'agent register': ['agent register sorter flow.ts', 'agent register sorter flow.ts --data tasks/ --owner ann'],
  'agent list': ['agent list', 'agent list -o json'],
  'agent show': ['agent show sorter'],
  'agent solve': [
    'agent solve sorter --task \'{"id":"a","items":[3,1,2]}\'',
    'agent solve sorter --task-file task.json --key user-17 -o json',
  ],
  'adapter publish': ['adapter publish sorter sorter-1', 'adapter publish sorter sorter-1@60 --live --owner ann'],
  'adapter list': ['adapter list', 'adapter list sorter -o json'],
  'adapter show': ['adapter show sorter', 'adapter show sorter sorter-1@60'],
  'adapter promote': ['adapter promote sorter sorter-2@80'],
  'adapter rollback': ['adapter rollback sorter', 'adapter rollback sorter --from sorter-2@80'],
  'experiment create': [
    'experiment create sorter sorter-2@80',
    'experiment create sorter sorter-2@80 --id sorter-autumn --share 0.2 --alpha 0.01 --reward-within 3600',
  ],
  'experiment list': ['experiment list', 'experiment list sorter -o json'],
  'experiment show': ['experiment show sorter-autumn'],
  'experiment decide': ['experiment decide sorter-autumn --rollback --reason "complaints of users"'],
  'experiment stop': ['experiment stop sorter-autumn --reason "the catalogue has changed"'],
  'checkpoint list': ['checkpoint list retail-1'],
  'checkpoint evaluate': ['checkpoint evaluate --checkpoint .millrace/checkpoints/retail-1/60'],
  'checkpoint export': [
    'checkpoint export .millrace/checkpoints/desk-1/v000060 --format peft --out adapter',
    'checkpoint export .millrace/checkpoints/desk-1/v000060 --format safetensors --numbers BF16 --out model',
  ],
  'trajectory export': ['trajectory export --job retail-1 --out retail.jsonl'],
  'trajectory import': ['trajectory import retail.jsonl'],
  'trajectory reward': ['trajectory reward TRAJECTORY --success', 'trajectory reward TRAJECTORY --reward 0.7'],
  'store sql': ['store sql "SELECT job, count() FROM trajectories GROUP BY job" -o json'],
  'store query': ['store query success-by-version --job retail-1'],
  'store stats': ['store stats'],
  'store prune': ['store prune --older-than 30d --dry-run', 'store prune --older-than 30d --job retail-1 --yes'],
  'schedule create': [
    'schedule create nightly job.yaml --cron "0 3 * * *" --time-zone Europe/Berlin',
    'schedule create fresh job.yaml --after-trajectories 5000 --from latest',
  ],
  'schedule list': ['schedule list'],
  'schedule show': ['schedule show nightly'],
  'schedule pause': ['schedule pause nightly'],
  'schedule resume': ['schedule resume nightly'],
  'schedule delete': ['schedule delete nightly --yes'],
  'node run': [
    'node run --roles rollout --config cluster.yaml',
    'node run --roles reward --id reward-7 --set nats.url=nats://nats-1:4222,nats://nats-2:4222',
  ],
  'node list': ['node list'],
  'actor list': ['actor list --node rollout-1'],
  'dlq list': ['dlq list --stream SCORED'],
  'dlq show': ['dlq show 3 --payload payload.bin'],
  'dlq replay': ['dlq replay 3 4', 'dlq replay --all --stream GROUPS'],
  completion: ['completion bash > ~/.local/share/bash-completion/completions/millrace', 'completion zsh', 'completion fish'],
  'budget list': ['budget list', 'budget list --month 2026-11'],
  'budget show': ['budget show ann'],
  'budget set': ['budget set ann 250'],
  'job set-budget': ['job set-budget retail-1 --dollars 20 --wall-time 12h', 'job set-budget retail-1 --tokens none'],
  'config schema': ['config schema > job.schema.json'],
  'config show': ['config show', 'config show job.yaml --set rounds=100'],
};

/** Shows the examples below the help of each command. */
export function addExamples(program: Command): void {
  for (const { path, command } of leavesOf(program)) {
    const lines = EXAMPLES[path]?.map((line) => `  millrace ${line}\n`) ?? [];
    if (lines.length > 0) command.addHelpText('after', `\nExamples:\n${lines.join('')}`);
  }
}
