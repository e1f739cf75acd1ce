// A run that is being trained writes its page anew: the reader sees the new one, where he was.
function liveNote() {
  return data.live && el('p', { class: 'stamp', id: 'live' }, `Being trained: this page looks for news every ${data.live.seconds} s. `,
    el('label', {}, el('input', { type: 'checkbox', checked: !view.paused, onchange() { view.paused = !this.checked; keepView(); } }), ' reload'));
}
function isReading() {
  const { tagName, type } = document.activeElement || {};
  return document.hidden || view.paused || !document.getSelection().isCollapsed || tagName === 'SELECT' || type === 'search';
}
if (data.live) {
  setInterval(() => {
    if (isReading()) return;
    keepView();
    location.reload();
  }, 1000 * data.live.seconds);
}
