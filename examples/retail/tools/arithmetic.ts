import { ToolError } from 'millrace';

/**
 * Value of an expression of decimal numbers, `+ - * /`, signs and parentheses, by recursive descent.
 * @throws ToolError when it cannot be read or divides by zero.
 */
export function evaluate(expression: string): number {
  const tokens = expression.match(/\d+(?:\.\d+)?|\.\d+|[-+*/()]|\S/g) ?? [];
  let position = 0;

  function take(...wanted: string[]): string | undefined {
    const token = tokens[position];
    if (token === undefined || !wanted.includes(token)) return undefined;
    position += 1;
    return token;
  }

  function factor(): number {
    const sign = take('-', '+');
    if (sign !== undefined) return sign === '-' ? -factor() : factor();
    if (take('(') !== undefined) {
      const inner = sum();
      if (take(')') === undefined) throw new ToolError(`A parenthesis is not closed in "${expression}".`);
      return inner;
    }
    const token = tokens[position];
    if (token === undefined || !/^[\d.]+$/.test(token)) {
      throw new ToolError(`Cannot read "${expression}" at ${token === undefined ? 'its end' : `"${token}"`}.`);
    }
    position += 1;
    return Number(token);
  }

  function product(): number {
    let value = factor();
    for (let operator = take('*', '/'); operator !== undefined; operator = take('*', '/')) {
      const right = factor();
      if (operator === '/' && right === 0) throw new ToolError(`"${expression}" divides by zero.`);
      value = operator === '*' ? value * right : value / right;
    }
    return value;
  }

  function sum(): number {
    let value = product();
    for (let operator = take('+', '-'); operator !== undefined; operator = take('+', '-')) {
      value = operator === '+' ? value + product() : value - product();
    }
    return value;
  }

  const value = sum();
  if (position < tokens.length) throw new ToolError(`Cannot read "${expression}" at "${tokens[position]}".`);
  return value;
}
