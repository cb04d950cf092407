// The client area's one script.  Every page works without it; it adds copying, charts and comfort.
(() => {
  "use strict";
  document.documentElement.classList.add("has-js");

  // --- Menus close when you click elsewhere or press Escape ---------------------------------

  const closeMenus = (except) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (menu !== except) menu.open = false;
    }
  };
  document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = document.querySelector("details.menu[open]");
    closeMenus(null);
    open?.querySelector("summary").focus();
  });

  // --- Copy buttons: data-copy holds the text, or the id of the element that does ------------

  const copyText = async (text) => {
    if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
    const area = document.createElement("textarea");
    area.value = text;
    area.style.position = "fixed";
    area.style.opacity = "0";
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    const word = button.querySelector(".word");
    const before = word.textContent;
    try {
      await copyText(source.textContent.trim());
      word.textContent = "Copied";
      button.classList.add("copied");
    } catch {
      word.textContent = "Select it by hand";
    }
    setTimeout(() => {
      word.textContent = before;
      button.classList.remove("copied");
    }, 1800);
  });

  // --- A link to an invoice line opens what the line follows from ----------------------------

  const openTarget = () => {
    const line = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    const explanation = line && line.nextElementSibling?.querySelector("details");
    if (explanation) explanation.open = true;
  };
  document.addEventListener("DOMContentLoaded", openTarget);
  window.addEventListener("hashchange", openTarget);

  // --- A form that saves something is sent once ----------------------------------------------

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || form.hasAttribute("hx-post")) return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
  });
  // Coming back with the browser's back button shows the form as it was: usable again.
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });

  // --- Charts: a canvas names the JSON beside it, which the server computed ------------------

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const axes = (chart) => ({
    x: {
      type: "linear",
      min: chart.start,
      max: chart.end,
      border: { color: colour("--line-strong") },
      grid: { display: false },
      offset: false,
      afterBuildTicks: (axis) => {
        axis.ticks = chart.ticks.map((tick) => ({ value: tick.at }));
      },
      ticks: {
        color: colour("--muted"),
        maxRotation: 0,
        autoSkipPadding: 16,
        callback: (value) => chart.ticks.find((tick) => tick.at === value)?.label,
      },
    },
    y: {
      beginAtZero: true,
      suggestedMax: chart.top,
      border: { display: false },
      grid: { color: colour("--line") },
      ticks: { color: colour("--muted"), maxTicksLimit: 6 },
      title: { display: true, text: chart.unit, color: colour("--muted") },
    },
  });

  const series = (chart) =>
    chart.series.map((one) => ({
      type: chart.kind === "bars" ? "bar" : "line",
      label: one.name,
      data: one.points,
      stepped: one.step ? "before" : false,
      borderColor: colour(one.area ? "--muted" : "--accent"),
      backgroundColor: chart.kind === "bars" ? colour("--accent") : colour("--accent-soft"),
      borderWidth: one.area ? 1 : 2,
      fill: Boolean(one.area),
      pointRadius: 0,
      pointHoverRadius: 4,
      pointHitRadius: 12,
      barThickness: "flex",
      maxBarThickness: 24,
    }));

  const draw = (canvas) => {
    const chart = JSON.parse(document.getElementById(canvas.dataset.chart).textContent);
    Chart.getChart(canvas)?.destroy();
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    new Chart(canvas, {
      data: { datasets: series(chart) },
      options: {
        animation: false,
        responsive: true,
        maintainAspectRatio: false,
        interaction: { mode: "nearest", axis: "x", intersect: false },
        scales: axes(chart),
        plugins: {
          legend: { display: chart.series.length > 1, labels: { color: colour("--muted"), boxWidth: 12, boxHeight: 2 } },
          tooltip: {
            displayColors: false,
            callbacks: {
              title: (items) => items[0].raw.when,
              label: (item) => `${item.dataset.label}: ${item.raw.text}`,
            },
          },
        },
      },
    });
  };
  const drawAll = () => {
    if (window.Chart) document.querySelectorAll("canvas[data-chart]").forEach(draw);
  };
  document.addEventListener("DOMContentLoaded", () => (document.fonts?.ready ?? Promise.resolve()).then(drawAll));
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
})();
