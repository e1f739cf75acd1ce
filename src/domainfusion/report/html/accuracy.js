// Accuracy by domain and class, and what was taken for what.
const sum = (values) => values.reduce((total, value) => total + value, 0);
const rowSum = (row) => sum(row);
const right = (confusion) => sum(confusion.map((row, k) => row[k]));
const total = (confusion) => sum(confusion.map(rowSum));

// What is known of each domain: its confusion matrix and, where the model was asked about images one by one, these.
// [{name, confusion, images: [places in looks.images]}], the held-out domain first.
function domainsOf(run) {
  const looks = run.looks && run.looks.images ? run.looks : null;
  const asked = looks ? looks.domains.map((domain, d) => {
    const confusion = run.classes.map(() => run.classes.map(() => 0)), images = [];
    looks.images.domain.forEach((at, i) => {
      if (at !== d) return;
      images.push(i);
      confusion[looks.images.label[i]][looks.images.answer[i]] += 1;
    });
    const drawn = domain.looked_at < domain.images ? `, ${domain.looked_at} of ${domain.images} images` : '';
    return { name: domain.name + (domain.held_out ? ' (held out)' : ' (source, validation images)') + drawn, confusion, images, domain };
  }) : [];
  const recorded = (run.tests || []).filter((test) => !(test.model === 'best' && asked.some(({ domain }) => domain.name === test.domain && domain.looked_at === domain.images)))
    .map((test) => ({ name: `${test.domain} (held out)${test.model === 'best' ? '' : ', ' + test.model}`, confusion: test.confusion, images: null }));
  return [...asked, ...recorded];
}

// A picture with its words below; `place` is one in data.pictures.
function item(place, alternative, ...words) {
  return el('div', { class: 'item' }, known(place) ? el('img', { src: data.pictures[place], alt: alternative, loading: 'lazy' })
    : el('div', { class: 'none', role: 'img', 'aria-label': alternative }, 'no picture'), words.map((text) => el('div', {}, text)));
}

function answerItem(run, i) {
  const { images } = run.looks, label = run.classes[images.label[i]], answer = run.classes[images.answer[i]];
  return item(images.picture[i], `${label}, taken for ${answer}: ${images.file[i]}`,
    images.label[i] === images.answer[i] ? label : `${label} → ${answer}`,
    el('span', { class: 'faint' }, `${percent(images.probability[i], 0)} % sure, loss ${short(images.loss[i], 3)}`), el('code', {}, images.file[i]));
}

function answerRows(run, places) {
  const { images, domains } = run.looks;
  return [['file', 'domain', 'label', 'answer', 'probability', 'probability_of_label', 'loss'], ...places.map((i) => [images.file[i], domains[images.domain[i]].name,
    run.classes[images.label[i]], run.classes[images.answer[i]], images.probability[i], images.own_probability[i], images.loss[i]])];
}

const galleryStep = 24;
// As many as fit a screen, more on demand.
function gallery(run, places) {
  const node = el('div', { class: 'gallery' });
  const more = el('button', { type: 'button', onclick: () => grow() });
  let shown = 0;
  function grow() {
    node.append(...places.slice(shown, shown + galleryStep).map((i) => answerItem(run, i)));
    shown = Math.min(places.length, shown + galleryStep);
    more.textContent = `${places.length - shown} more`;
    more.hidden = shown >= places.length;
  }
  grow();
  return [node, more];
}

const shade = (share, kind = 'right') => `background: rgba(var(--${kind}), ${(0.75 * share).toFixed(3)})`;

function classTable(run, domains) {
  return el('div', { class: 'scroll' }, el('table', { id: 'class-table' },
    el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'accuracy, % (images)'), run.classes.map((name) => el('th', { scope: 'col' }, name)), el('th', { scope: 'col' }, 'all'))),
    el('tbody', {}, domains.map(({ name, confusion }) => el('tr', {}, el('th', { scope: 'row' }, name),
      confusion.map((row, k) => el('td', rowSum(row) ? { style: shade(row[k] / rowSum(row)) } : {}, rowSum(row) ? `${percent(row[k] / rowSum(row))} (${rowSum(row)})` : '–')),
      el('td', {}, total(confusion) ? `${percent(right(confusion) / total(confusion))} (${total(confusion)})` : '–'))))));
}

// Classes of a matrix that is too large for a screen: those with the most mistakes.
const mostClasses = 40;
function shownClasses(confusion) {
  const all = confusion.map((row, k) => k);
  if (all.length <= mostClasses) return all;
  const mistakes = (k) => rowSum(confusion[k]) - confusion[k][k] + sum(confusion.map((row) => row[k])) - confusion[k][k];
  return all.sort((a, b) => mistakes(b) - mistakes(a)).slice(0, mostClasses).sort((a, b) => a - b);
}

function moveInMatrix(event) {
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  if (!steps) return;
  event.preventDefault();
  const [row, column] = event.target.dataset.place.split(' ').map(Number);
  const next = event.currentTarget.querySelector(`[data-place="${row + steps[0]} ${column + steps[1]}"]`);
  if (!next) return;
  event.target.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

// `open(label, answer)` is called for a cell.
function matrix(run, confusion, open) {
  const classes = shownClasses(confusion);
  const cell = (k, j, row, column) => {
    const images = rowSum(confusion[k]), n = confusion[k][j];
    return el('td', images ? { style: shade(n / images, k === j ? 'right' : 'wrong') } : {}, el('button', { type: 'button', 'data-place': `${row} ${column}`, tabindex: row + column ? -1 : 0,
      'aria-label': `${plural(n, 'image')} of ${run.classes[k]} taken for ${run.classes[j]}`, onclick: () => open(k, j) }, n || ''));
  };
  return [
    el('div', { class: 'scroll' }, el('table', { class: 'matrix', id: 'matrix', onkeydown: moveInMatrix },
      el('thead', {}, el('tr', {}, el('th', {}, 'true \\ taken for'), classes.map((j) => el('th', { scope: 'col' }, el('span', {}, run.classes[j]))))),
      el('tbody', {}, classes.map((k, row) => el('tr', {}, el('th', { scope: 'row' }, run.classes[k]), classes.map((j, column) => cell(k, j, row, column))))))),
    classes.length < confusion.length && el('p', { class: 'faint' }, `The ${classes.length} of ${confusion.length} classes with the most mistakes.`)];
}

function confusedPairs(run, confusion) {
  const pairs = [];
  confusion.forEach((row, k) => row.forEach((n, j) => { if (k !== j && n > 0) pairs.push([run.classes[k], run.classes[j], n, percent(n / rowSum(row))]); }));
  pairs.sort((a, b) => b[2] - a[2]);
  return pairs.length ? table(['most confused: true', 'taken for', 'images', '% of the class'], pairs.slice(0, 10), { texts: 2 })
    : el('p', { class: 'faint' }, 'No image was mistaken.');
}

function openedCell(run, domain, k, j, close) {
  const { images } = run.looks || {};
  const n = domain.confusion[k][j], words = `${plural(n, 'image')} of ${run.classes[k]} taken for ${run.classes[j]}`;
  const places = domain.images && domain.images.filter((i) => images.label[i] === k && images.answer[i] === j).sort((a, b) => images.loss[b] - images.loss[a]);
  return el('div', { class: 'panel', id: 'cell', tabindex: -1, onkeydown: (event) => event.key === 'Escape' && close() },
    el('div', { class: 'controls' }, el('strong', {}, words), places && places.length > 0 && csvButton('CSV of these', 'images.csv', () => answerRows(run, places)),
      el('button', { type: 'button', onclick: close }, 'close')),
    places ? gallery(run, places) : el('p', { class: 'faint' }, whyNoPictures(run)));
}

function whyNoPictures(run) {
  if (run.looks && run.looks.fault) return `No pictures: ${run.looks.fault}`;
  return 'Only counts are recorded. Name this run itself in `domainfusion report`, and its model is asked about each image.';
}

function worstMistakes(run) {
  const { images } = run.looks;
  const wrong = images.domain.map((d, i) => i).filter((i) => images.label[i] !== images.answer[i]).sort((a, b) => images.loss[b] - images.loss[a]);
  return [el('h3', {}, `Worst mistakes (${wrong.length} in all)`), wrong.length ? el('div', { id: 'worst' }, gallery(run, wrong)) : el('p', { class: 'faint' }, 'No image was mistaken.')];
}

function reliability(run, d) {
  const { bins, error } = run.looks.calibration[d], name = run.looks.domains[d].name, side = 240, from = 34;
  const x = (share) => from + share * side, y = (share) => 10 + (1 - share) * side;
  const bars = bins.filter((bin) => bin.images).map((bin) => svg('g', {},
    svg('rect', { x: x(bin.low) + 1, y: y(bin.accuracy), width: (bin.high - bin.low) * side - 2, height: y(0) - y(bin.accuracy), fill: palette[0], 'fill-opacity': 0.75 }),
    svg('circle', { cx: x(bin.probability), cy: y(bin.accuracy), r: 3, fill: palette[1] }),
    svg('title', {}, `${plural(bin.images, 'answer')}, ${percent(bin.probability)} % sure on average, ${percent(bin.accuracy)} % right`)));
  const ticks = [0, 0.5, 1].map((share) => [svg('text', { x: x(share), y: y(0) + 16, 'text-anchor': 'middle' }, percent(share, 0)),
    svg('text', { x: from - 5, y: y(share) + 4, 'text-anchor': 'end' }, percent(share, 0))]);
  const plot = svg('svg', { viewBox: `0 0 ${side + from + 12} ${side + 46}`, style: 'max-width: 22rem', role: 'img', 'aria-label': `Reliability on ${name}` },
    svg('path', { d: `M${x(0)} ${y(0)}H${x(1)}M${x(0)} ${y(0)}V${y(1)}`, stroke: 'currentColor', fill: 'none' }), bars,
    svg('path', { d: `M${x(0)} ${y(0)}L${x(1)} ${y(1)}`, stroke: 'currentColor', 'stroke-dasharray': '4 4' }), ticks,
    svg('text', { x: x(0.5), y: y(0) + 32, 'text-anchor': 'middle' }, 'how sure, %; height: how often right, %'));
  return figure(name, `Expected calibration error ${percent(error)} %.`, plot, () => [['sure, %', 'answers', 'right, %'],
    bins.filter((bin) => bin.images).map((bin) => [`${percent(bin.low, 0)}–${percent(bin.high, 0)}`, bin.images, percent(bin.accuracy)])]);
}

function accuracySection() {
  const run = chosenRun();
  const domains = domainsOf(run);
  if (!domains.length) return el('p', { class: 'faint' }, run.looks && run.looks.fault ? whyNoPictures(run)
    : 'No answers are recorded: the held-out domain is looked at once, when a run is finished.');
  const shown = Math.min(view.matrix, domains.length - 1), domain = domains[shown];
  const opened = el('div', { 'aria-live': 'polite' });
  const show = (k, j, from) => opened.replaceChildren(openedCell(run, domain, k, j, () => {
    view.cell = null;
    opened.replaceChildren();
    if (from) from.focus();
  }));
  const open = (k, j) => {
    view.cell = [run.name, shown, k, j];
    keepView();
    show(k, j, document.activeElement);
    opened.firstChild.focus({ preventScroll: true });
    opened.firstChild.scrollIntoView({ block: 'nearest' });
  };
  const [cellRun, cellDomain, k, j] = view.cell || [];
  if (cellRun === run.name && cellDomain === shown && k < run.classes.length && j < run.classes.length) show(k, j);
  const asked = run.looks && run.looks.images;
  return [classTable(run, domains),
    el('h3', {}, 'Confusion'),
    el('div', { class: 'controls' },
      domains.length > 1 && choice('domain', domains.map(({ name }, i) => [i, name]), shown, (i) => { view.matrix = Number(i); keepView(); redraw('accuracy'); }),
      asked && csvButton('CSV of all images', 'answers.csv', () => answerRows(run, run.looks.images.domain.map((d, i) => i)))),
    matrix(run, domain.confusion, open), opened, confusedPairs(run, domain.confusion),
    asked && [worstMistakes(run), el('h3', {}, 'Reliability'), el('div', { class: 'plots' }, run.looks.domains.map((_, d) => reliability(run, d)))]];
}
