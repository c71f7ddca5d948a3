type Child = Node | string | undefined;

/** A new element. `properties` are its own; attributes with a dash (aria-label) are set as such. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Record<string, unknown> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const created = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes('-') || name === 'role') created.setAttribute(name, String(value));
    else Object.assign(created, { [name]: value });
  }
  created.append(...children.filter((child) => child !== undefined));
  return created;
}

/** A button with a tooltip. */
export function button(label: string, title: string, onclick: () => void): HTMLButtonElement {
  return element('button', { type: 'button', textContent: label, title, 'aria-label': title, onclick });
}

/** The element of the page with this id. */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

/** Calls `draw` once before the next frame, however often it was asked for. */
export function beforeNextFrame(draw: () => void): () => void {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };
}

/** A 2D context for a canvas of this size in CSS pixels, cleared, on any density of pixels. */
export function contextOf(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const density = window.devicePixelRatio;
  const [w, h] = [Math.round(width * density), Math.round(height * density)];
  if (canvas.width !== w || canvas.height !== h) {
    Object.assign(canvas, { width: w, height: h });
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  }
  const context = canvas.getContext('2d')!;
  context.setTransform(density, 0, 0, density, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}
