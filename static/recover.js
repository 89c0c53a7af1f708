/*
 * A page of which a script or a stylesheet could not be had is loaded again, at most eight times, later each time.
 *
 * During a deploy an instance of another release may be asked for a part of this one's. It has none, rather than give its own. Where no proxy
 * asks the other instances, the whole page comes once more, until it comes from one release.
 *
 * It stands alone, directly under static/: any release's works on any release's page.
 */
(function () {
  var KEY = "parley.reloads";
  var MOST = 8;
  var failed = false;

  function again() {
    try {
      var before = Number(sessionStorage.getItem(KEY));
      if (before >= MOST) return;
      sessionStorage.setItem(KEY, before + 1);
      setTimeout(function () { location.reload(); }, Math.min(8000, 500 * Math.pow(2, before)));
    } catch (error) {
      // Without a storage nobody could count, and a page that cannot be had would be asked for without end.
    }
  }

  addEventListener("error", function (event) {
    var part = event.target;
    if (failed || !(part instanceof HTMLScriptElement || (part instanceof HTMLLinkElement && part.rel === "stylesheet"))) return;
    failed = true;
    again();
  }, true);

  addEventListener("load", function () {
    try {
      if (!failed) sessionStorage.removeItem(KEY);
    } catch (error) {
      // As above: nothing is counted.
    }
  });
})();
