/** What goes into the page. */
export interface PageParts {
  title: string;
  style: string;
  script: string;
  /** JSON that the script reads. */
  data: string;
}

/** The page before its script has run. Whatever the parts contain, none of them ends the element that it is in. */
export function skeleton({ title, style, script, data }: PageParts): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${escapeText(title)}</title>
<style>
${style.replaceAll(/<\/(?=style)/gi, '<\\/')}</style>
</head>
<body>
<header id="summary"></header>
<nav id="tools"></nav>
<div id="overview"></div>
<main>
<section id="timeline" aria-label="Events"></section>
<aside id="side"></aside>
</main>
<noscript>This page needs JavaScript.</noscript>
<script type="application/json" id="run">${data.replaceAll('<', '\\u003c')}</script>
<script>
${script.replaceAll(/<\/(?=script)/gi, '<\\/').replaceAll('<!--', '<\\!--')}</script>
</body>
</html>
`;
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
