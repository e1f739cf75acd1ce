// Rounds of augmentation: figures over rounds, and the pictures that they have kept.
function roundPlots(run) {
  const figures = (name, of) => run.rounds.map((round) => [round.round, round[of] ? round[of][name] : null]);
  const both = (name) => [{ label: 'new images', points: figures(name, 'made') }, { label: 'VAE alone', points: figures(name, 'round_trip') }];
  const plot = (title, name) => lineChart(title, both(name), { xLabel: 'round', yLabel: '', xTicks: run.rounds.map((round) => round.round) });
  return el('div', { class: 'plots' }, plot('Style distance to the image before', 'style_distance'), plot('Content similarity to the image before', 'content_similarity'),
    plot('Drift from the raw image', 'drift'), plot('Class fidelity', 'class_fidelity'), budgetChart(run));
}

function budgetChart(run) {
  const last = run.rounds[run.rounds.length - 1], plan = run.plan || {};
  const bars = [['this run', last.generated_so_far], ['CDGA', last.cdga], ['FDS', plan.fds_images]].filter(([, n]) => known(n));
  const most = logCount(Math.max(...bars.map(([, n]) => n))) || 1;
  const node = svg('svg', { viewBox: `0 0 460 ${bars.length * 34 + 8}`, role: 'img', 'aria-label': 'Images generated' }, bars.map(([label, n], i) => [
    svg('text', { x: 64, y: i * 34 + 25, 'text-anchor': 'end' }, label),
    svg('rect', { x: 72, y: i * 34 + 8, width: 290 * logCount(n) / most, height: 24, fill: i ? 'var(--line)' : palette[0] }),
    svg('text', { x: 78 + 290 * logCount(n) / most, y: i * 34 + 25 }, String(n))]));
  const share = last.cdga ? `, ${percent(last.generated_so_far / last.cdga)} % of CDGA's` : '';
  return figure('Images generated', `${last.generated_so_far} images${share}; bars by powers of ten.`, node);
}

const roundCell = (place, words, alternative, chosen) => {
  const node = item(place, alternative, ...words);
  if (chosen) node.classList.add('chosen');
  return node;
};

function galleryRow(row) {
  const of = `${row.domain}, ${row.class}`;
  const candidates = row.candidates.map((candidate) => {
    const roles = [candidate.gives_style && 'gives style', candidate.gives_content && 'gives content'].filter(Boolean).join(' and ');
    const similarity = known(candidate.style_similarity) ? `style ${short(candidate.style_similarity, 3)}, content ${short(candidate.content_similarity, 3)}` : null;
    return roundCell(candidate.picture, [candidate.prompt, el('span', { class: 'faint' }, candidate.failed ? 'failed' : similarity || ''), el('strong', {}, roles)],
      `${of}: candidate "${candidate.prompt}"${roles && ', ' + roles}`, roles);
  });
  const made = row.made ? [el('strong', {}, 'new image'), el('span', { class: 'faint' }, row.figures ? `style distance ${short(row.figures.style_distance, 3)}` : '')] : ['all candidates failed: the image stays'];
  return el('div', { class: 'row' }, roundCell(row.pictures.raw, [el('strong', {}, 'raw'), of, el('code', {}, row.file)], `${of}: raw image`),
    roundCell(row.pictures.before, ['before the round'], `${of}: before the round`), roundCell(row.pictures.vae, ['VAE alone'], `${of}: through the VAE`),
    candidates, roundCell(row.pictures.made, made, `${of}: new image`));
}

// A slider over `values`; the first place means all of them where `all` is said.
function slider(label, values, key, all) {
  const names = all ? [all, ...values] : values;
  const place = Math.min(view[key] || 0, names.length - 1);
  const output = el('output', {}, names[place]);
  return el('label', {}, label, el('input', { type: 'range', min: 0, max: names.length - 1, value: place, 'aria-label': label, 'aria-valuetext': names[place], oninput() {
    view[key] = Number(this.value);
    output.textContent = names[view[key]];
    this.setAttribute('aria-valuetext', names[view[key]]);
    keepView();
    drawGallery();
  } }), output);
}

const galleryHost = el('div', { id: 'gallery' });
function drawGallery() {
  const { gallery } = chosenRun();
  if (!gallery || !gallery.length) return;
  const { classes, domains } = galleryNames(gallery);
  const round = gallery[Math.min(view.round || 0, gallery.length - 1)];
  const rows = round.rows.filter((row) => (!view.galleryClass || row.class === classes[view.galleryClass - 1]) && (!view.galleryDomain || row.domain === domains[view.galleryDomain - 1]));
  galleryHost.replaceChildren(...(rows.length ? rows.map(galleryRow) : [el('p', { class: 'faint' }, 'No pictured image of this class and domain in this round.')]));
}

function galleryNames(gallery) {
  const of = (key) => [...new Set(gallery.flatMap((round) => round.rows.map((row) => row[key])))].sort();
  return { classes: of('class'), domains: of('domain') };
}

function roundsSection() {
  const run = chosenRun();
  const { gallery = [] } = run;
  if (!(run.rounds || []).length && !gallery.length) return el('p', { class: 'faint' }, 'This run has made no images in rounds.');
  const names = galleryNames(gallery);
  return [(run.rounds || []).length > 0 && roundPlots(run),
    gallery.length ? [el('h3', {}, 'Pictures'), el('div', { class: 'controls' }, slider('round', gallery.map(({ round }) => round), 'round'), slider('class', names.classes, 'galleryClass', 'all'),
      slider('domain', names.domains, 'galleryDomain', 'all')), galleryHost] : el('p', { class: 'faint' }, 'No pictures of rounds are kept (augmentation.picture_rows).')];
}
