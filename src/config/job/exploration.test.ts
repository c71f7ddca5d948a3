import { describe, expect, it } from 'vitest';
import { jobConfigSchema } from '../job.ts';
import { explores, keepsArms, keepsState } from './exploration.ts';

const parse = (over: object) => jobConfigSchema.safeParse({ name: 'j', flow: 'f', ...over });
const issues = (over: object): string[] => (parse(over).error?.issues ?? []).map((issue) => issue.path.join('.'));

describe('exploration and curriculum', () => {
  it('are off by default', () => {
    const config = jobConfigSchema.parse({ name: 'j', flow: 'f' });
    expect([explores(config.exploration), keepsArms(config), keepsState(config)]).toEqual([false, false, false]);
  });

  it.each([
    [{ thompson: { mix: 0.1 } }, [true, true, true]],
    [{ pruning: { enabled: true } }, [true, true, true]],
    [{ forced: { share: 0.2, mode: 'thompson' } }, [true, true, true]],
    [{ forced: { share: 0.2 } }, [true, false, false]],
    [{ loops: 'mask' }, [true, false, false]],
    [{ statistics: true }, [true, true, true]],
    [{ temperature: { schedule: 'entropy', target: 1 } }, [false, false, true]],
    [{ temperature: { schedule: 'cosine', final: 0.5 } }, [false, false, false]],
  ])('%j needs what it uses', (exploration, wanted) => {
    const config = jobConfigSchema.parse({ name: 'j', flow: 'f', exploration });
    expect([explores(config.exploration), keepsArms(config), keepsState(config)]).toEqual(wanted);
  });

  it.each<[object, string[]]>([
    [{ temperature: { schedule: 'linear' } }, ['exploration.temperature.final']],
    [{ temperature: { final: 0.5 } }, ['exploration.temperature.final']],
    [{ temperature: { schedule: 'entropy' } }, ['exploration.temperature.target']],
    [{ temperature: { schedule: 'cosine', final: 1, target: 1 } }, ['exploration.temperature.target']],
    [{ temperature: { schedule: 'entropy', target: 1, min: 2 } }, ['exploration.temperature.min']],
    [{ forced: { share: 0.5, epsilon: 1 } }, ['exploration.forced.epsilon']],
    [{ thompson: { mix: 1 } }, ['exploration.thompson.mix']],
    [{ decay: 1 }, ['exploration.decay']],
    [{ prunning: {} }, ['exploration']],
  ])('%j is refused', (exploration, paths) => {
    expect(issues({ exploration })).toEqual(paths);
  });

  it('refuses a curriculum that would forget tasks', () => {
    expect(issues({ curriculum: { enabled: true, floor: 0 } })).toEqual(['curriculum.floor']);
    expect(issues({ curriculum: { enabled: true, decay: 1 } })).toEqual(['curriculum.decay']);
  });
});
