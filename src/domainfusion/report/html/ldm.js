// Whether the LDM teaches, what the gates have measured, and which translations decided at test time.
const textOf = (value) => (Array.isArray(value) || typeof value === 'object' ? JSON.stringify(value) : String(value));

function premisePlot(premise) {
  const g = { label: 'g', points: premise.rows.map((row) => [row.p, row.g.mean, row.g.standard_error]) };
  const share = { label: 'share of g < 0', points: premise.rows.map((row) => [row.p, row.negative_share]) };
  const verdict = known(premise.distillation) ? ` Distillation is ${premise.distillation}.` : '';
  return [el('h3', {}, 'Premise'), el('p', {}, `g < 0, more confidence makes an image easier to denoise, for ${percent(premise.negative_share)} % of ${premise.images} images x ${premise.draws} draws.${verdict}`),
    el('div', { class: 'plots' }, lineChart('g, mean over images ± standard error', [g], { xLabel: 'confidence p', yLabel: 'g', zero: true }),
      lineChart('Share of draws with g < 0', [share], { xLabel: 'confidence p', yLabel: '' }))];
}

function gatePlot(gate) {
  const line = (label, key) => ({ label, points: gate.rows.map((row) => [row.points, row[key]]) });
  return [el('h3', {}, 'Gate of the latent curves'),
    el('p', {}, gate.chosen_points > 0 ? `${gate.chosen_points} points stand for the encoder` : 'No number of points passed, so the encoder itself is used',
      `: asked for were a relative error of at most ${short(gate.max_rms_error)} and equal signs of g in at least ${percent(gate.min_sign_agreement)} % (${gate.images} images).`),
    el('div', { class: 'plots' }, lineChart('Error of the curve', [line('rms error', 'rms_error')], { xLabel: 'points', yLabel: '' }),
      lineChart('Agreement of g', [line('equal signs', 'sign_agreement'), line('cosine', 'cosine')], { xLabel: 'points', yLabel: '' }))];
}

function dsiTable(dsi) {
  const starts = dsi.options.start_steps;
  const rows = dsi.subsets.map((subset) => [subset.subset, percent(subset.accuracy), percent(subset.accepted.clean),
    ...subset.accepted.by_start.map((share) => percent(share)), percent(subset.accepted.never)]);
  return [el('h3', {}, `Translation at test time (${dsi.test.model})`),
    el('p', {}, `The classifier alone ${percent(dsi.clean_accuracy)} %, with translations ${percent(dsi.test.accuracy)} % (${dsi.headline}); threshold ${short(dsi.threshold)}; ${dsi.made} made, ${dsi.found} found, ${dsi.failed} failed.`),
    table(['answers of', 'accuracy, %', 'decided by the image, %', ...starts.map((step) => `from step ${step}, %`), 'by none, %'], rows)];
}

function ldmSection() {
  const run = chosenRun();
  const { ldm: { ldm, premise_gate: premise, curve_gate: gate, styles, cdga, fds, samples = [] } = {}, dsi = [] } = run;
  const records = [['LDM', ldm], ['Styles', styles], ['CDGA', cdga], ['FDS', fds]].filter(([, record]) => record);
  if (!records.length && !premise && !gate && !dsi.length && !samples.length) return el('p', { class: 'faint' }, 'This run has used no LDM.');
  return [samples.length > 0 && [el('h3', {}, 'Its last pictures from training'), el('div', { class: 'plots' }, samples.map(({ file, picture }) => el('div', { class: 'sheet' }, item(picture, `Pictures of the LDM: ${file}`, el('code', {}, file)))))],
    premise && premisePlot(premise), gate && gatePlot(gate), dsi.map(dsiTable),
    records.map(([name, record]) => [el('h3', {}, name), facts(Object.entries(record).filter(([key]) => key !== 'type' && key !== 'step').map(([key, value]) => [key.replaceAll('_', ' '), el('code', {}, textOf(value))]))])];
}
