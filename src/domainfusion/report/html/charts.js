// Small plots as plain SVG: lines with error bars, points, bars of differences.
const chart = { width: 460, height: 250, left: 58, right: 12, top: 12, bottom: 40 };

// Round numbers that cover low … high.
function ticksOf(low, high, count = 5) {
  const raw = (high - low || Math.abs(high) || 1) / count, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= raw);
  const ticks = [];
  for (let at = Math.floor(low / step); at * step < high + step || ticks.length < 2; ++at) ticks.push(at * step);
  return ticks;
}

// Images generated run over powers of ten, and from 0 on: log10(1 + n).
const logCount = (n) => Math.log10(1 + n);
function countTicks(most) {
  const ticks = [0];
  for (let n = 1; ticks[ticks.length - 1] < most; n *= 10) ticks.push(n);
  return ticks;
}

// x and y of a plane; `xs`, `ys`: values that must be in it. xTicks: values with places by `xOf`.
function plane(label, xs, ys, { xLabel = '', yLabel = '', xTicks = null, xOf = (x) => x, zero = false, xFormat = (x) => short(x, 3) } = {}) {
  const { width, height, left, right, top, bottom } = chart;
  const y = ticksOf(Math.min(...ys, ...(zero ? [0] : [])), Math.max(...ys, ...(zero ? [0] : [])));
  const x = xTicks || ticksOf(Math.min(...xs), Math.max(...xs));
  const span = (ticks, of) => [of(ticks[0]), of(ticks[ticks.length - 1])];
  const [x0, x1] = span(x, xOf), [y0, y1] = span(y, (value) => value);
  const px = (value) => left + (xOf(value) - x0) / (x1 - x0 || 1) * (width - left - right);
  const py = (value) => height - bottom - (value - y0) / (y1 - y0 || 1) * (height - top - bottom);
  const node = svg('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label },
    y.map((tick) => [svg('path', { d: `M${left} ${py(tick)}H${width - right}`, stroke: 'var(--line)' }),
      svg('text', { x: left - 6, y: py(tick) + 4, 'text-anchor': 'end' }, short(tick, 3))]),
    x.map((tick) => [svg('path', { d: `M${px(tick)} ${height - bottom}v4`, stroke: 'var(--ink)' }),
      svg('text', { x: px(tick), y: height - bottom + 17, 'text-anchor': 'middle' }, xFormat(tick))]),
    svg('path', { d: `M${left} ${height - bottom}H${width - right}M${left} ${height - bottom}V${top}`, stroke: 'var(--ink)', fill: 'none' }),
    svg('text', { x: (left + width - right) / 2, y: height - 5, 'text-anchor': 'middle' }, xLabel),
    svg('text', { transform: `translate(12 ${(height - bottom + top) / 2}) rotate(-90)`, 'text-anchor': 'middle' }, yLabel));
  return { node, px, py, zeroLine: () => node.append(svg('path', { d: `M${left} ${py(0)}H${width - right}`, stroke: 'var(--ink)', 'stroke-dasharray': '4 3' })) };
}

function errorBar(px, py, x, value, half, colour) {
  return half ? svg('path', { d: `M${px(x)} ${py(value - half)}V${py(value + half)}M${px(x) - 3} ${py(value - half)}h6M${px(x) - 3} ${py(value + half)}h6`, stroke: colour, fill: 'none' }) : null;
}

const legend = (series) => el('p', {}, series.map(({ label, colour }) => [el('span', { style: `color: ${colour}`, 'aria-hidden': 'true' }, '■ '), label + ' \u00a0 ']));

// series: [{label, points: [[x, y, half length of the error bar]]}], drawn as lines or, with {lines: false}, as points.
function lineChart(title, series, { xLabel, yLabel, lines = true, zero = false, ...options } = {}) {
  const drawn = series.map((line, i) => ({ colour: colourOf(i), ...line, points: line.points.filter(([x, y]) => known(x) && known(y)) })).filter((line) => line.points.length);
  if (!drawn.length) return null;
  const all = drawn.flatMap((line) => line.points);
  const { node, px, py, zeroLine } = plane(title, all.map(([x]) => x), all.flatMap(([, y, half]) => [y - (half || 0), y + (half || 0)]), { xLabel, yLabel, zero, ...options });
  if (zero) zeroLine();
  for (const { label, colour, points } of drawn) {
    if (lines) node.append(svg('path', { d: 'M' + points.map(([x, y]) => `${px(x)} ${py(y)}`).join('L'), stroke: colour, fill: 'none', 'stroke-width': 1.5 }));
    for (const [x, y, half] of points) {
      const bar = errorBar(px, py, x, y, half, colour);
      if (bar) node.append(bar);
      node.append(svg('circle', { cx: px(x), cy: py(y), r: 3.5, fill: colour }, svg('title', {}, `${label}: ${short(y)}${half ? ' ± ' + short(half, 2) : ''} at ${short(x)}`)));
    }
  }
  const words = drawn.slice(0, 6).map(({ label, points }) => `${label}: from ${short(points[0][1], 3)} to ${short(points[points.length - 1][1], 3)}`).join('; ') + '.';
  return figure(title, words, el('div', {}, node, drawn.length > 1 && legend(drawn)), () => [['', xLabel || 'x', yLabel || 'y', '±'],
    drawn.flatMap(({ label, points }) => points.map(([x, y, half]) => [label, short(x), short(y), half ? short(half, 2) : '']))]);
}
