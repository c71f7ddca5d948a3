// An ESLint rule that holds the length of classes: one that grows beyond it does more than one thing.

/** The rule, as ESLint wants it. Lines are counted from `class` to the closing brace, comments and blank lines too. */
export const classLength = {
  meta: {
    type: 'suggestion',
    docs: { description: 'limit the lines of a class' },
    schema: [{ type: 'object', properties: { max: { type: 'integer', minimum: 1 } }, additionalProperties: false }],
    messages: { long: '{{name}} has {{lines}} lines; at most {{max}} are allowed: split it by concern' },
  },
  create(context) {
    const { max = 200 } = context.options[0] ?? {};
    const check = (node) => {
      const lines = node.loc.end.line - node.loc.start.line + 1;
      if (lines <= max) return;
      const name = node.id ? `class ${node.id.name}` : 'this class';
      context.report({ node, messageId: 'long', data: { name, lines, max } });
    };
    return { ClassDeclaration: check, ClassExpression: check };
  },
};
