/* Before the first paint: the theme that was chosen on this device. A classic script, because modules run later. */
(function () {
  var theme = null;
  try {
    theme = JSON.parse(localStorage.getItem("parley.theme"));
  } catch (error) {
    theme = null;
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
