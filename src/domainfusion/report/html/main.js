// The page put together.
function title() {
  if (data.runs.length === 1) return data.runs[0].name;
  return data.folders.map((folder) => folder.split('/').filter(Boolean).pop() || folder).join(', ');
}

function notes() {
  const list = [];
  if (!data.runs.length) list.push(`No run is in ${data.folders.join(', ')}: expected folders with run.json (ours) or results.jsonl (DomainBed's).`);
  for (const what of data.unreadable) list.push(`Left out: ${what}`);
  const dropped = Object.entries(data.left_out || {}).map(([section, n]) => `${n} of ${section}`);
  if (dropped.length) list.push(`The page is full (--max-mb ${data.max_mb}); pictures left out: ${dropped.join(', ')}.`);
  return list;
}

document.title = `${title()} · DomainFusion`;
fill(document.getElementById('top'), {}, [
  el('h1', {}, title()),
  el('p', { class: 'faint' }, `${plural(data.runs.length, 'run')} of ${data.folders.join(', ')}; written by ${data.program}`),
  liveNote(),
  notes().map((text) => el('p', { class: 'stamp warn' }, text))]);

if (data.runs.length > 1) {
  section('sweep', 'Tables', sweepSection);
  section('runs', 'Runs', runsSection);
}
if (data.runs.length) {
  section('run', 'The run', headSection);
  section('curves', 'Curves', curvesSection, drawCurves);
  section('accuracy', 'Accuracy', accuracySection);
  section('rounds', 'Rounds', roundsSection, drawGallery);
  section('ldm', 'LDM', ldmSection);
  section('attention', 'What the network sees', attentionSection);
}
document.getElementById('top').after(el('nav', { 'aria-label': 'Parts of the page' }, el('div', {}, sections.map((part) => el('a', { href: '#' + part.id }, part.title)))));
for (const part of sections) {
  document.getElementById('main').append(part.node);
  part.draw();
}
if (view.scroll) scrollTo(0, view.scroll);

addEventListener('resize', () => livePlots.forEach((live) => live.resize()));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => redraw('curves'));
addEventListener('pagehide', keepView);
