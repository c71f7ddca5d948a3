import { Document, isMap, isScalar } from 'yaml';
import type { Node } from 'yaml';

/**
 * Settings as YAML that can be read back, with the origin of every value that is no default as a comment.
 *
 * @param sources - origin ("default", "file", "environment", "flag") by dotted path
 */
export function settingsText(config: Record<string, unknown>, sources: Readonly<Record<string, string>>): string {
  const document = new Document(config);
  annotate(document.contents, []);
  return document.toString({ lineWidth: 0 });

  function annotate(node: unknown, path: readonly string[]): void {
    if (isMap(node)) {
      for (const { key, value } of node.items) annotate(value, [...path, isScalar(key) ? String(key.value) : '']);
    }
    const source = sources[path.join('.')];
    if (source === undefined || source === 'default' || !node) return;
    if (isScalar(node)) node.comment = ` ${source}`;
    else (node as Node).commentBefore = ` ${source}`;
  }
}
