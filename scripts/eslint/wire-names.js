// An ESLint rule that keeps the names of streams and subjects in src/protocol.

const STREAM = /^(ROLLOUTS|GROUPS|SCORED|WEIGHTS|EVENTS|DLQ|HELD|PARTS)$/;
/** How a template literal begins that is a subject of the cluster: `rollout.${job}`. */
const SUBJECT = /^(rollout|group|scored|event|weights|held|dlq|retry|progress|waiting|part)\.$/;

/** Reports a stream's name or a subject that is written out: another file would have to be changed with it. */
export const wireNames = {
  meta: {
    type: 'problem',
    docs: { description: 'name streams and subjects by the constants and functions of src/protocol' },
    schema: [],
    messages: { name: '{{text}} names a stream or subject: use what src/protocol/names.ts and subjects.ts export' },
  },
  create: (context) => ({
    Literal: (node) => {
      if (typeof node.value === 'string' && STREAM.test(node.value))
        context.report({ node, messageId: 'name', data: { text: `'${node.value}'` } });
    },
    TemplateLiteral: (node) => {
      const text = node.quasis[0]?.value.cooked ?? '';
      if (node.expressions.length > 0 && SUBJECT.test(text))
        context.report({ node, messageId: 'name', data: { text: `\`${text}…\`` } });
    },
  }),
};
