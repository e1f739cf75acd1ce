// Figures over the steps of runs. Drawing is uPlot's; choosing, smoothing, bands and the keyboard are here.
const maxShown = 12;

function shownRuns() {
  const all = data.runs.map((run, place) => place).filter((place) => data.runs[place].curves);
  if (view.shown) return all.filter((place) => view.shown.includes(data.runs[place].name));
  return all.length <= maxShown || view.by === 'system' ? all : all.slice(0, maxShown);
}

// Lines of one kind: which curve of a run, and which of its values.
function metricsOf(runs, part, wanted) {
  const names = new Set();
  for (const place of runs) for (const name of Object.keys(data.runs[place].curves[part].values)) if (wanted(name)) names.add(name);
  return [...names].sort((a, b) => a.length - b.length || (a < b ? -1 : 1)).map((name) => ({ part, name }));
}
const isLoss = (name) => /loss/.test(name);
const panels = [
  { id: 'loss', title: 'Loss and its parts', unit: '', metrics: (runs) => metricsOf(runs, 'training', isLoss), smooth: true },
  { id: 'accuracy', title: 'Accuracy', unit: '%', scale: 100,
    metrics: (runs) => [...metricsOf(runs, 'validation', (name) => name === 'mean_accuracy'),
      ...metricsOf(runs, 'training', (name) => name === 'accuracy'),
      ...metricsOf(runs, 'validation', (name) => name.startsWith('accuracy/'))], smooth: true },
  { id: 'validation-loss', title: 'Source validation loss', unit: '', metrics: (runs) => metricsOf(runs, 'validation', isLoss) },
  { id: 'lr', title: 'Learning rate', unit: '', metrics: (runs) => metricsOf(runs, 'training', (name) => name === 'lr') },
  { id: 'step-time', title: 'Time of a step', unit: 's', metrics: (runs) => metricsOf(runs, 'cost', (name) => name === 'seconds_per_step') },
  { id: 'memory', title: 'Memory', unit: 'MiB', metrics: (runs) => metricsOf(runs, 'cost', (name) => name === 'memory_mib') },
  { id: 'others', title: 'What else steps record', unit: '',
    metrics: (runs) => metricsOf(runs, 'training', (name) => !isLoss(name) && name !== 'lr' && name !== 'accuracy'), smooth: true },
];
const metricLabel = ({ part, name }) => (part === 'validation' ? 'source validation ' : part === 'training' && name === 'accuracy' ? 'training ' : '') +
  name.replace('mean_', '').replace('accuracy/', '').replaceAll('_', ' ');

// Exponential moving average without the pull of its start; gaps stay.
function smoothed(values, weight) {
  let sum = 0, norm = 0;
  return values.map((value) => {
    if (!known(value)) return null;
    sum = weight * sum + (1 - weight) * value;
    norm = weight * norm + 1 - weight;
    return sum / norm;
  });
}

function lineOf(place, metric, panel) {
  const curve = data.runs[place].curves[metric.part];
  const raw = curve.values[metric.name] || [];
  const values = panel.smooth && metric.part === 'training' && view.smoothing > 0 ? smoothed(raw, view.smoothing) : raw;
  const scale = panel.scale || 1;
  return { steps: curve.steps, values: values.map((value) => (known(value) ? value * scale : null)) };
}

// At every step that any line has: mean, least and most of those that reach it, linear in between.
function bandOf(lines) {
  const steps = [...new Set(lines.flatMap((line) => line.steps))].sort((a, b) => a - b);
  const columns = lines.map((line) => {
    const points = line.steps.map((step, i) => [step, line.values[i]]).filter(([, value]) => known(value));
    let at = 0;
    return steps.map((step) => {
      while (at + 1 < points.length && points[at + 1][0] <= step) ++at;
      if (!points.length || step < points[0][0] || step > points[points.length - 1][0]) return null;
      const [x0, y0] = points[at], next = points[at + 1];
      return !next || step === x0 ? y0 : y0 + (next[1] - y0) * (step - x0) / (next[0] - x0);
    });
  });
  const over = (reduce) => steps.map((_, i) => {
    const values = columns.map((column) => column[i]).filter(known);
    return values.length ? reduce(values) : null;
  });
  return { steps, mean: over(mean), low: over((values) => Math.min(...values)), high: over((values) => Math.max(...values)) };
}

function systemsOf(places) {
  const groups = new Map();
  for (const place of places) {
    const run = data.runs[place], name = `${run.system}, ${run.held_out.join(' and ')} held out`;
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(place);
  }
  return groups;
}

// Series of a panel: {label, colour, steps, values} and for bands {low, high}.
function seriesOf(panel, places, metrics) {
  if (view.by === 'system' && places.length > 1) {
    const metric = metrics.find((m) => metricLabel(m) === view.metric[panel.id]) || metrics[0];
    return [...systemsOf(places)].map(([label, members], i) => {
      const band = bandOf(members.map((place) => lineOf(place, metric, panel)));
      return { label: `${label} (${plural(members.length, 'run')})`, colour: colourOf(i), steps: band.steps, values: band.mean, low: band.low, high: band.high };
    });
  }
  if (places.length === 1) return metrics.map((metric, i) => ({ label: metricLabel(metric), colour: colourOf(i), ...lineOf(places[0], metric, panel) }));
  const metric = metrics.find((m) => metricLabel(m) === view.metric[panel.id]) || metrics[0];
  return places.map((place, i) => ({ label: data.runs[place].name, colour: colourOf(i), ...lineOf(place, metric, panel) }));
}

const hasValues = (series) => series.values.some(known);
const lastValue = (series) => series.values.findLast(known);

function plotOf(panel, series, host) {
  const rows = [], options = [{ label: 'step' }], bands = [];
  const positive = (values) => values.map((value) => (view.log && value <= 0 ? null : value));
  for (const line of series) {
    const base = { stroke: line.colour, width: 1.5, spanGaps: true, points: { show: line.steps.length < 40 },
      value: (u, value) => (known(value) ? short(value) : '–') };
    options.push({ ...base, label: line.label });
    rows.push([line.steps, positive(line.values)]);
    if (!line.low) continue;
    const edge = { ...base, width: 0, points: { show: false }, class: 'edge' };
    options.push({ ...edge, label: 'most' }, { ...edge, label: 'least' });
    rows.push([line.steps, positive(line.high)], [line.steps, positive(line.low)]);
    bands.push({ series: [options.length - 2, options.length - 1], fill: line.colour + '30' });
  }
  const axis = { stroke: cssColour('--faint'), grid: { stroke: cssColour('--line'), width: 1 }, ticks: { stroke: cssColour('--line'), width: 1 } };
  const plot = new uPlot({ width: Math.max(260, host.clientWidth), height: 240, series: options, bands, cursor: { drag: { x: true, y: false } },
    scales: { x: { time: false }, y: { distr: view.log ? 3 : 1 } }, legend: { live: true }, hooks: { setScale: [(u, key) => key === 'x' && keepZoom(panel, u)] },
    axes: [{ ...axis }, { ...axis, size: 60, values: (u, ticks) => ticks.map((tick) => (known(tick) ? short(tick, 3) : '')) }] }, uPlot.join(rows), host);
  host.querySelectorAll('.u-series.edge').forEach((row) => row.remove());
  return plot;
}

// The part of the steps that the reader looks at survives changes of the plot and reloads.
function keepZoom(panel, plot) {
  const steps = plot.data[0], { min, max } = plot.scales.x;
  if (!known(min) || !steps.length) return;
  if (min <= steps[0] && max >= steps[steps.length - 1]) delete view.zoom[panel.id];
  else view.zoom[panel.id] = [min, max];
}
function zoom(plot, factor) {
  const { min, max } = plot.scales.x, middle = plot.cursor.idx !== null && known(plot.cursor.idx) ? plot.data[0][plot.cursor.idx] : (min + max) / 2;
  plot.setScale('x', { min: middle - (middle - min) * factor, max: middle + (max - middle) * factor });
}
function unzoom(plot) {
  const steps = plot.data[0];
  plot.setScale('x', { min: steps[0], max: steps[steps.length - 1] });
}
function moveCursor(plot, by) {
  const last = plot.data[0].length - 1;
  const idx = Math.max(0, Math.min(last, (known(plot.cursor.idx) ? plot.cursor.idx : by > 0 ? -1 : last + 1) + by));
  plot.setCursor({ left: plot.valToPos(plot.data[0][idx], 'x'), top: plot.over.clientHeight / 2 });
}
const plotKeys = { ArrowLeft: (plot) => moveCursor(plot, -1), ArrowRight: (plot) => moveCursor(plot, 1), '+': (plot) => zoom(plot, 0.5),
  '-': (plot) => zoom(plot, 2), 0: unzoom, Escape: unzoom };

const livePlots = [];
function curveFigure(panel, places) {
  const metrics = panel.metrics(places);
  if (!metrics.length) return null;
  const series = seriesOf(panel, places, metrics).filter(hasValues);
  if (!series.length) return null;
  let plot = null;
  const host = el('div', { class: 'plot', tabindex: 0, 'aria-label': `${panel.title}: arrow keys read values, + and - zoom, 0 shows all`, onkeydown(event) {
    if (!plot || !plotKeys[event.key]) return;
    plotKeys[event.key](plot);
    event.preventDefault();
  } });
  const ends = series.slice(0, 4).map((line) => `${line.label} ends at ${short(lastValue(line))}${panel.unit && ' ' + panel.unit}`);
  const words = ends.join('; ') + (series.length > 4 ? `; ${series.length - 4} more` : '') + '.';
  const rows = () => [['step', ...series.map((line) => line.label)],
    uPlot.join(series.map((line) => [line.steps, line.values]))[0].map((step, i, all) => [step,
      ...series.map((line) => { const at = line.steps.indexOf(step); return at < 0 ? '' : short(line.values[at]); })]).slice(0, 400), { tall: true }];
  const chooser = places.length > 1 && metrics.length > 1 && choice('of', metrics.map((m) => [metricLabel(m), metricLabel(m)]),
    view.metric[panel.id] || metricLabel(metrics[0]), (label) => { view.metric[panel.id] = label; keepView(); redraw('curves'); });
  const button = (label, name, action) => el('button', { type: 'button', 'aria-label': `${name}: ${panel.title}`, onclick: () => plot && action(plot) }, label);
  const node = figure(panel.title + (panel.unit ? `, ${panel.unit}` : ''), words, host, rows, chooser,
    button('+', 'Zoom in', (p) => zoom(p, 0.5)), button('−', 'Zoom out', (p) => zoom(p, 2)), button('all', 'Show all steps', unzoom));
  node.id = 'curve-' + panel.id;
  livePlots.push({ draw() { host.replaceChildren(); const kept = view.zoom[panel.id]; plot = plotOf(panel, series, host); if (kept) plot.setScale('x', { min: kept[0], max: kept[1] }); node.plot = plot; }, resize() { plot.setSize({ width: Math.max(260, host.clientWidth), height: 240 }); } });
  return node;
}

function runChooser(places) {
  const names = new Set(places.map((place) => data.runs[place].name));
  const boxes = data.runs.map((run) => run.curves && el('label', {}, el('input', { type: 'checkbox', checked: names.has(run.name), onchange() {
    if (this.checked) names.add(run.name); else names.delete(run.name);
    view.shown = [...names];
    keepView();
    drawCurves();
  } }), run.name));
  return el('details', {}, el('summary', {}, `Runs drawn: ${names.size} of ${data.runs.length}`), el('div', { class: 'scroll tall controls' }, boxes));
}

// With many runs a panel is drawn once it comes near the screen.
const manyRuns = 50;
const nearScreen = new IntersectionObserver((entries) => entries.filter((entry) => entry.isIntersecting).forEach(({ target }) => target.draw()), { rootMargin: '300px' });
function putPanel(panel, places, slot) {
  nearScreen.unobserve(slot);
  const node = curveFigure(panel, places);
  if (!node) return slot.remove();
  slot.replaceWith(node);
  livePlots[livePlots.length - 1].draw();
}
addEventListener('beforeprint', () => document.querySelectorAll('.slot').forEach((slot) => slot.draw()));

const curveHost = el('div');
function drawCurves() {
  const places = shownRuns();
  livePlots.length = 0;
  curveHost.replaceChildren();
  if (!places.some((place) => data.runs[place].curves.training.steps.length || data.runs[place].curves.validation.steps.length)) {
    curveHost.append(el('p', { class: 'faint' }, 'No step is recorded: the run has not begun, or was killed before its first step.'));
    return;
  }
  const slots = panels.map((panel) => Object.assign(el('div', { class: 'slot' }), { draw() { putPanel(panel, places, this); } }));
  curveHost.append(el('div', { class: 'plots' }, slots));
  slots.forEach((slot) => (places.length > manyRuns ? nearScreen.observe(slot) : slot.draw()));
}

function curvesSection() {
  const places = shownRuns();
  const check = (label, key) => el('label', {}, el('input', { type: 'checkbox', checked: view[key], onchange() { view[key] = this.checked; keepView(); drawCurves(); } }), label);
  const several = data.runs.filter((run) => run.curves).length > 1;
  return [el('div', { class: 'controls' },
      check('log', 'log'),
      el('label', {}, 'smoothing', el('input', { type: 'range', min: 0, max: 0.99, step: 0.01, value: view.smoothing, 'aria-label': 'Smoothing of training curves',
        oninput() { view.smoothing = Number(this.value); keepView(); drawCurves(); } })),
      several && choice('lines', [['run', 'one a run'], ['system', 'mean of a system’s runs, band from least to most']], view.by,
        (by) => { view.by = by; keepView(); redraw('curves'); })),
    several && runChooser(places),
    el('p', { class: 'faint' }, 'Drag over a plot to zoom, double click to see all.'), curveHost];
}
