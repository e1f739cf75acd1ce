'use strict';
// What all parts of the page share: its data, the reader's choices, elements made of texts that are never markup.
const data = JSON.parse(document.getElementById('data').textContent);

// What the reader has chosen; survives a reload where the browser lets it.
const viewKey = `domainfusion-report ${location.pathname} ${data.folders.join(' ')}`;
const view = (() => {
  const fresh = { run: 0, shown: null, filter: '', log: false, smoothing: 0, by: data.runs.length > 12 ? 'system' : 'run', metric: {}, zoom: {}, matrix: 0 };
  try {
    return Object.assign(fresh, JSON.parse(sessionStorage.getItem(viewKey) || '{}'));
  } catch {
    return fresh;
  }
})();
function keepView() {
  try {
    sessionStorage.setItem(viewKey, JSON.stringify({ ...view, scroll: scrollY }));
  } catch { /* a browser that keeps nothing */ }
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) node.append(child);
  }
  return node;
}
const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);

const known = (value) => value !== null && value !== undefined;
const percent = (share, digits = 1) => (known(share) ? (100 * share).toFixed(digits) : '–');
const short = (number, digits = 4) => (known(number) ? String(Number(number.toPrecision(digits))) : '–');
const plural = (n, one, many = one + 's') => `${n} ${n === 1 ? one : many}`;
function duration(seconds) {
  if (!seconds) return 'not recorded';
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const shownValue = (value) => (typeof value === 'string' ? value : JSON.stringify(value));

const palette = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#b8860b', '#56b4e9', '#7b5fb5', '#8a8f2a', '#a04050', '#4c8077'];
const colourOf = (place) => palette[place % palette.length];
const cssColour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// The first `texts` columns are words, the others numbers.
function table(head, rows, { tall = false, texts = 1, id = null } = {}) {
  const kind = (column) => (column < texts ? 'text' : null);
  return el('div', { class: 'scroll' + (tall ? ' tall' : ''), tabindex: tall ? 0 : null }, el('table', { id },
    el('thead', {}, el('tr', {}, head.map((cell, column) => el('th', { scope: 'col', class: kind(column) }, cell)))),
    el('tbody', {}, rows.map((row) => el('tr', {}, row.map((cell, column) => el(column ? 'td' : 'th', { scope: column ? null : 'row', class: kind(column) }, cell)))))));
}

const csvCell = (value) => {
  let text = known(value) ? String(value) : '';
  if (/^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text))) text = "'" + text;  // no formula in a spreadsheet
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};
const csvText = (rows) => rows.map((row) => row.map(csvCell).join(',')).join('\n') + '\n';
function csvButton(label, name, rows) {
  return el('button', { type: 'button', onclick: () => {
    const link = el('a', { href: URL.createObjectURL(new Blob([csvText(rows())], { type: 'text/csv' })), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  } }, label);
}

// A plot with its caption, what it says in words, and its numbers as a table.
function figure(title, words, plot, rows, ...controls) {
  const details = rows && el('details', { ontoggle() {
    if (this.open && this.children.length === 1) this.append(table(...rows()));
  } }, el('summary', {}, 'Numbers'));
  return el('figure', { role: 'group', 'aria-label': `${title}. ${words}` },
    el('figcaption', {}, el('strong', {}, title), el('span', { class: 'controls' }, controls)), plot,
    el('p', { class: 'faint' }, words), details);
}

const sections = [];
// `render` makes the content anew; `drawn` is called once that is in the page.
function section(id, title, render, drawn = () => {}) {
  const body = el('div');
  const node = el('section', { id, 'aria-labelledby': id + '-title' }, el('h2', { id: id + '-title' }, title), body);
  const part = { id, title, node, draw() {
    body.replaceChildren(...[render()].flat(Infinity).filter((child) => known(child) && child !== false));
    drawn();
  } };
  sections.push(part);
  return part;
}
const redraw = (...ids) => sections.filter((part) => ids.includes(part.id)).forEach((part) => part.draw());
const chosenRun = () => data.runs[Math.min(view.run, data.runs.length - 1)];
function chooseRun(place) {
  view.run = place;
  keepView();
  sections.forEach((part) => part.draw());
}
function choice(label, values, value, onchange) {
  return el('label', {}, label, el('select', { 'aria-label': label, onchange: (event) => onchange(event.target.value) },
    values.map(([key, text]) => el('option', { value: key, selected: String(key) === String(value) }, text))));
}
