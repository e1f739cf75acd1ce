// Many runs together: tables, differences between systems, cost, and what is missing.
const rulesOf = () => [...new Set(data.tables.map((one) => one.rule))];
const chosenRule = () => (rulesOf().includes(view.rule) ? view.rule : rulesOf()[0]);
const uniqueOf = (list, key) => [...new Set(list.map((entry) => entry[key]))];

function resultTable({ set, cells }) {
  const domains = uniqueOf(cells, 'domain'), systems = uniqueOf(cells, 'system');
  const cellOf = (system, domain) => cells.find((cell) => cell.system === system && cell.domain === domain);
  const text = (cell) => {
    if (!cell || !known(cell.accuracy)) return '–';
    const error = known(cell.standard_error) ? ` ± ${percent(cell.standard_error)}` : '';
    return percent(cell.accuracy) + error + (cell.runs < cell.expected ? ` (${cell.runs} of ${cell.expected})` : '');
  };
  const overall = (system) => {
    const values = domains.map((domain) => cellOf(system, domain)).map((cell) => cell && cell.accuracy);
    return values.every(known) ? percent(mean(values)) : '–';
  };
  const rows = systems.map((system) => [system, ...domains.map((domain) => text(cellOf(system, domain))), ...(domains.length > 1 ? [overall(system)] : [])]);
  return [el('h3', {}, `${set}: accuracy on the held-out domain, %`), table(['system', ...domains, ...(domains.length > 1 ? ['mean'] : [])], rows),
    csvButton('CSV', 'table.csv', () => [['system', 'domain', 'accuracy', 'standard_error', 'runs', 'expected'],
      ...cells.map((cell) => [cell.system, cell.domain, cell.accuracy, cell.standard_error, cell.runs, cell.expected])])];
}

function differencePlot(comparisons) {
  const title = 'Paired differences, percentage points';
  const halves = comparisons.map((one) => one.half_interval ?? one.standard_error ?? 0);
  const ends = comparisons.flatMap((one, i) => [100 * (one.difference - halves[i]), 100 * (one.difference + halves[i])]);
  const ticks = ticksOf(Math.min(0, ...ends), Math.max(0, ...ends)), width = 640, left = 250, row = 30, height = comparisons.length * row + 34;
  const px = (value) => left + (value - ticks[0]) / (ticks[ticks.length - 1] - ticks[0]) * (width - left - 20);
  const cut = (text) => (text.length > 38 ? text.slice(0, 37) + '…' : text);
  const node = svg('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': title }, ticks.map((tick) => [
    svg('path', { d: `M${px(tick)} 4V${height - 26}`, stroke: tick === 0 ? 'var(--ink)' : 'var(--line)' }), svg('text', { x: px(tick), y: height - 10, 'text-anchor': 'middle' }, short(tick, 3))]),
  comparisons.map((one, i) => {
    const y = i * row + 20, centre = 100 * one.difference, half = 100 * halves[i];
    return svg('g', {}, svg('title', {}, differenceWords(one)), svg('text', { x: left - 10, y: y + 4, 'text-anchor': 'end' }, cut(`${one.b} − ${one.a}`)),
      svg('path', { d: `M${px(centre - half)} ${y}H${px(centre + half)}`, stroke: palette[0], 'stroke-width': 2, 'stroke-dasharray': known(one.half_interval) ? null : '3 3' }),
      one.pairs.map((pair) => svg('circle', { cx: px(100 * (pair.b - pair.a)), cy: y + 7, r: 2, fill: 'var(--faint)' })),
      svg('circle', { cx: px(centre), cy: y, r: 4.5, fill: palette[0] }));
  }));
  return figure(title, comparisons.slice(0, 5).map(differenceWords).join('; ') + '. Lines: 95 % intervals by Student’s t, dashed: standard errors where there are too few pairs; small points: pairs.', node,
    () => [['b', 'a', 'b − a', '±, 95 %', 'standard error', 'pairs', 'p'], comparisons.map((one) => [one.b, one.a, (100 * one.difference).toFixed(2),
      known(one.half_interval) ? (100 * one.half_interval).toFixed(2) : '–', (100 * one.standard_error).toFixed(2), one.pairs.length, known(one.p) ? short(one.p, 2) : '–']), { texts: 2 }]);
}
function differenceWords(one) {
  const half = known(one.half_interval) ? ` ± ${(100 * one.half_interval).toFixed(1)}` : '';
  return `${one.b} − ${one.a}: ${(100 * one.difference).toFixed(1)}${half}, ${plural(one.pairs.length, 'pair')}${known(one.p) ? `, p = ${short(one.p, 2)}` : ''}`;
}

// Runs by set and system, with what each has cost and reached.
function systemRuns() {
  const systems = new Map();
  for (const run of data.runs) {
    const name = (uniqueOf(data.runs, 'set').length > 1 ? run.set + ', ' : '') + run.system;
    if (!systems.has(name)) systems.set(name, []);
    systems.get(name).push(run);
  }
  return systems;
}

function costTable(systems) {
  const average = (runs, of, format) => {
    const values = runs.map(of).filter(known);
    return values.length ? format(mean(values)) : '–';
  };
  return [el('h3', {}, 'Cost'), table(['system', 'runs', 'finished', 'images generated', 'time', 'peak memory, MiB', 'training accuracy, %'], [...systems].map(([name, runs]) => [name, runs.length,
    runs.filter((run) => run.state === 'finished').length, average(runs, generatedOf, (n) => Math.round(n)), average(runs, (run) => (run.cost && run.cost.seconds) || null, duration),
    average(runs, (run) => (run.cost && run.cost.peak_memory_mib) || null, (mib) => Math.round(mib)), average(runs, (run) => run.fit && run.fit.accuracy, percent)]))];
}

function standardError(values) {
  const centre = mean(values);
  return values.length > 1 ? Math.sqrt(mean(values.map((value) => (value - centre) ** 2)) / values.length) : 0;
}

function imagesPlot(systems) {
  const series = [...systems].map(([label, runs]) => {
    const finished = runs.filter((run) => testOf(run) && known(generatedOf(run)));
    if (!finished.length) return { label, points: [] };
    const accuracies = finished.map((run) => 100 * testOf(run).accuracy);
    return { label, points: [[mean(finished.map(generatedOf)), mean(accuracies), standardError(accuracies)]] };
  });
  const most = Math.max(0, ...series.flatMap((line) => line.points.map(([n]) => n)));
  return lineChart('Accuracy against images generated in a run', series, { lines: false, xLabel: 'images generated', yLabel: 'accuracy, %', xTicks: countTicks(most), xOf: logCount,
    xFormat: (n) => (n >= 1e6 ? `${n / 1e6}M` : n >= 1000 ? `${n / 1000}k` : String(n)) });
}

function sweepSection() {
  const rule = chosenRule();
  const comparisons = data.comparisons.filter((one) => one.rule === rule);
  const systems = systemRuns();
  return [
    rulesOf().length > 1 && el('div', { class: 'controls' }, choice('selected by', rulesOf().map((name) => [name, name]), rule, (name) => { view.rule = name; keepView(); redraw('sweep'); })),
    rule && /ORACLE/.test(rule) && el('p', { class: 'warn' }, 'This rule looks at the held-out domain; it is no fair choice.'),
    rule ? data.tables.filter((one) => one.rule === rule).map(resultTable) : el('p', { class: 'faint' }, 'No run has figures of its held-out domain yet.'),
    el('div', { class: 'plots' }, comparisons.length > 0 && differencePlot(comparisons), imagesPlot(systems)), costTable(systems),
    data.missing.length > 0 && [el('h3', {}, `Runs that are missing (${data.missing.length})`), el('div', { class: 'scroll tall', tabindex: 0 }, el('ul', { id: 'missing' }, data.missing.map((text) => el('li', {}, text))))]];
}
