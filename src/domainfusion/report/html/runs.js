// The list of runs, and the head of the one that is chosen.
const testOf = (run, model = 'best') => (run.tests || []).find((test) => test.model === model);
const generatedOf = (run) => (run.cost ? run.cost.generated_images : null);

function matches(run) {
  const words = view.filter.toLowerCase().split(/\s+/).filter(Boolean);
  const text = [run.name, run.system, run.set, run.held_out.join(' '), run.state].join(' ').toLowerCase();
  return words.every((word) => text.includes(word));
}

function runRows() {
  return data.runs.map((run, place) => [run, place]).filter(([run]) => matches(run)).map(([run, place]) => {
    const test = testOf(run);
    const cells = [run.system, run.held_out.join(' and '), run.state,
      known(run.validation) ? percent(run.validation.accuracy) : '–', test ? percent(test.accuracy) : '–',
      known(run.fit) ? percent(run.fit.accuracy) + (run.fit.under_fitted ? ' *' : '') : '–',
      known(generatedOf(run)) ? generatedOf(run) : '–', run.cost ? duration(run.cost.seconds) : '–'];
    return el('tr', { 'aria-selected': place === view.run ? 'true' : 'false' },
      el('td', { class: 'text' }, el('button', { type: 'button', class: 'plain', onclick: () => chooseRun(place) }, run.name)),
      cells.map((cell, column) => el('td', { class: column < 3 ? 'text' : null }, cell)));
  });
}

function runsSection() {
  const head = ['run', 'system', 'held out', 'state', 'source validation, %', 'target, %', 'training, %', 'images generated', 'time'];
  const body = el('tbody', {}, runRows());
  const said = el('span', { class: 'faint', role: 'status' }, `${body.children.length} of ${data.runs.length}`);
  const filter = el('input', { type: 'search', value: view.filter, 'aria-label': 'Filter the runs', placeholder: 'filter', oninput() {
    view.filter = this.value;
    keepView();
    body.replaceChildren(...runRows());
    said.textContent = `${body.children.length} of ${data.runs.length}`;
  } });
  return [el('div', { class: 'controls' }, filter, said),
    el('div', { class: 'scroll tall', tabindex: 0 }, el('table', { id: 'runs-table' },
      el('thead', {}, el('tr', {}, head.map((text) => el('th', { scope: 'col' }, text)))), body)),
    data.runs.some((run) => run.fit && run.fit.under_fitted) &&
      el('p', { class: 'faint' }, '* under-fitted: training accuracy of the last epoch below 95 %; differences between systems say little there')];
}

function stamp(run) {
  const guard = run.guard;
  if (!guard) return el('p', { class: 'stamp warn' }, 'Whether the held-out domain was out of reach is not recorded.');
  const faults = [];
  const shared = guard.source_images_in_target;
  if (shared.length) faults.push(`${plural(shared.length, 'source image')} also lie in it (equal files; the first is ${shared[0]})`);
  if (guard.weights_of_unknown_origin) faults.push(`nobody can tell whether the weights ${guard.weights_of_unknown_origin} were trained on it`);
  if (guard.ldm_of_unknown_origin) faults.push('nobody can tell whether the LDM was trained on it');
  return el('p', { class: 'stamp ' + (faults.length ? 'warn' : ''), id: 'leakage' },
    `Guarded: no image, label or word of '${guard.domain}' was within reach of training or model selection`,
    faults.length ? '; but ' + faults.join('; ') : '; no source image lies in it', '.');
}

function resultRows(run) {
  const rows = (run.chosen || []).map((choice) => [choice.rule, `after ${choice.steps} steps`, percent(choice.validation), percent(choice.accuracy)]);
  for (const test of run.tests || []) {
    if (test.model === 'best') continue;
    const validation = run.average_validation && !test.model.includes('dsi') ? percent(run.average_validation.accuracy) : '–';
    rows.push([test.model, `after ${test.steps} steps`, validation, percent(test.accuracy)]);
  }
  return rows;
}

function costRows(run) {
  const cost = run.cost, plan = run.plan || {};
  const rows = [['images generated', cost.generated_images, known(plan.generated_images) ? plan.generated_images : '–'],
    ['steps', run.steps, known(plan.steps) ? plan.steps : '–'],
    ['time', duration(cost.seconds), '–'],
    ['peak memory, MiB', cost.peak_memory_mib ? Math.round(cost.peak_memory_mib) : '–', '–'],
    ['disk, MiB', Math.round(cost.disk_mib), '–']];
  if (known(plan.cdga_images)) rows.push(['CDGA would generate', '–', plan.cdga_images], ['FDS would generate', '–', plan.fds_images]);
  return rows;
}

function facts(pairs) {
  return el('dl', { class: 'facts' }, pairs.filter(([, value]) => known(value) && value !== '').map(([name, value]) =>
    [el('dt', {}, name), el('dd', {}, value)]));
}

function headSection() {
  const run = chosenRun();
  const options = Object.entries(run.options || {});
  const hashes = Object.entries(run.provenance || {}).filter(([, value]) => known(value));
  const results = resultRows(run);
  return [
    el('p', {}, el('strong', {}, run.system), ` on ${run.set}, `, el('strong', {}, run.held_out.join(' and ')),
      ` held out; trial ${run.trial}, seed ${run.seed}; ${run.state}.`),
    run.tests && stamp(run),
    results.length
      ? table(['selected by', 'model', 'validation, %', `accuracy on ${run.held_out[0]}, %`], results, { texts: 2 })
      : el('p', { class: 'faint' }, 'No result yet: the held-out domain is looked at once, when a run is finished.'),
    run.fit && el('p', { class: run.fit.under_fitted ? 'warn' : '' }, `Training accuracy of the last epoch: ${percent(run.fit.accuracy)} %`,
      run.fit.under_fitted ? '; under-fitted, so differences between systems say little here.' : '.'),
    run.cost ? table(['cost', 'real', 'plan'], costRows(run)) : null,
    run.reproduce && [el('h3', {}, 'Run it again'), el('code', {}, run.reproduce)],
    hashes.length ? [el('h3', {}, 'Made from'), facts(hashes.map(([name, value]) => [name.replace('_', ' '), el('code', {}, shownValue(value))]))] : null,
    options.length ? el('details', {}, el('summary', {}, `Options that are not at their defaults (${options.length})`),
      facts(options.map(([name, value]) => [name, el('code', {}, shownValue(value))]))) : null];
}
