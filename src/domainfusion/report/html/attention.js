// Where the network looks, and how its features lie.
function attentionRow(run, { image, view: seen, classes }) {
  const { images } = run.looks, label = run.classes[images.label[image]], answer = run.classes[images.answer[image]];
  return el('div', { class: 'row' }, roundCell(seen, [images.label[image] === images.answer[image] ? label : `${label} → ${answer}`, el('code', {}, images.file[image])], `${label}, taken for ${answer}: ${images.file[image]}`),
    classes.map((one) => roundCell(one.picture, [el('span', { class: 'faint' }, one.class === images.label[image] ? 'what speaks for the label' : 'what speaks for the answer'), run.classes[one.class]],
      `Places that speak for ${run.classes[one.class]}`)));
}

const mapColours = { class: (run, i) => run.classes[run.looks.images.label[i]], domain: (run, i) => run.looks.domains[run.looks.images.domain[i]].name,
  answer: (run, i) => run.classes[run.looks.images.answer[i]], 'right or wrong': (run, i) => (run.looks.images.label[i] === run.looks.images.answer[i] ? 'right' : 'wrong') };

function featureMap(run) {
  const map = run.looks.feature_map, points = map[view.projection] || map.tsne, size = 420;
  const colourBy = mapColours[view.mapColour] ? view.mapColour : 'class';
  const names = [...new Set(map.images.map((i) => mapColours[colourBy](run, i)))].sort();
  const scale = (values) => {
    const low = Math.min(...values), high = Math.max(...values);
    return (value) => 12 + (value - low) / (high - low || 1) * (size - 24);
  };
  const px = scale(points.map(([x]) => x)), py = scale(points.map(([, y]) => y));
  const opened = el('div', { class: 'gallery', id: 'map-image', 'aria-live': 'polite' });
  const node = svg('svg', { viewBox: `0 0 ${size} ${size}`, id: 'feature-map', style: 'max-width: 42rem', role: 'img', 'aria-label': `Features of ${points.length} images, coloured by ${colourBy}` },
    points.map(([x, y], place) => {
      const i = map.images[place], name = mapColours[colourBy](run, i);
      return svg('circle', { cx: px(x), cy: size - py(y), r: 4, fill: colourOf(names.indexOf(name)), 'fill-opacity': 0.8, style: 'cursor: pointer', onclick: () => opened.replaceChildren(answerItem(run, i)) },
        svg('title', {}, `${name}: ${run.looks.images.file[i]}`));
    }));
  const how = (view.projection || 'tsne') === 'pca' ? 'The first two principal components' : 't-SNE: near points have near features; distances between groups say little';
  const change = (key) => (value) => { view[key] = value; keepView(); redraw('attention'); };
  const fig = figure('Map of features', `${how}. ${points.length} images, coloured by ${colourBy} (${names.slice(0, 8).join(', ')}${names.length > 8 ? ', …' : ''}).`,
    el('div', {}, node, legend(names.slice(0, 40).map((label, i) => ({ label, colour: colourOf(i) }))), opened),
    () => [['file', colourBy, 'x', 'y'], points.map(([x, y], place) => [run.looks.images.file[map.images[place]], mapColours[colourBy](run, map.images[place]), short(x), short(y)]), { tall: true, texts: 2 }],
    choice('by', [['tsne', 't-SNE'], ['pca', 'PCA']], view.projection || 'tsne', change('projection')), choice('colour', Object.keys(mapColours).map((key) => [key, key]), colourBy, change('mapColour')));
  return [el('h3', {}, 'Features'), fig];
}

function attentionSection() {
  const run = chosenRun();
  if (!run.looks || !run.looks.images) return el('p', { class: 'faint' }, whyNoPictures(run));
  const cam = run.looks.grad_cam || [];
  return [cam.length ? [el('h3', {}, 'Grad-CAM'), el('p', { class: 'faint' }, 'Of the worst mistakes and some right answers: red where the last maps speak for a class.'), el('div', { id: 'grad-cam' }, cam.map((look) => attentionRow(run, look)))]
    : el('p', { class: 'faint' }, 'No Grad-CAM: this backbone has no maps to look into.'), run.looks.feature_map && featureMap(run)];
}
