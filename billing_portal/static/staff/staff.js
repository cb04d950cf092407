// The dashboard's own script: charts, copying, and choosing all rows.  Pages work without it.
"use strict";

(() => {
  const HUES = ["--color-primary-600", "--color-base-400"];
  const HUES_DARK = ["--color-primary-400", "--color-base-500"];
  const charts = [];
  const DAY = new Intl.DateTimeFormat("en", { month: "short", day: "numeric", timeZone: "UTC" });
  const MOMENT = new Intl.DateTimeFormat("en", {
    dateStyle: "medium",
    timeStyle: "short",
    timeZone: "UTC",
    hour12: false,
  });

  const variable = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const isDark = () => document.documentElement.classList.contains("dark");

  // Asked again on every update, so a chart follows the theme.
  const hue = (context) => {
    const hues = isDark() ? HUES_DARK : HUES;
    return variable(hues[context.datasetIndex % hues.length]);
  };

  function paint(chart) {
    const line = variable(isDark() ? "--color-base-800" : "--color-base-200");
    const text = variable(isDark() ? "--color-base-400" : "--color-base-500");
    for (const axis of Object.values(chart.options.scales)) {
      axis.grid.color = axis.border.color = line;
      axis.ticks.color = axis.title.color = text;
    }
    chart.options.plugins.legend.labels.color = text;
    chart.update("none");
  }

  function draw(canvas) {
    const shown = JSON.parse(document.getElementById(canvas.dataset.source).textContent);
    const many = shown.series.length > 1;
    Chart.defaults.font.family = "Inter";
    const chart = new Chart(canvas, {
      type: shown.type || "line",
      data: {
        labels: shown.labels,
        datasets: shown.series.map((series) => ({
          label: series.name,
          // With `times` the values stand at moments (milliseconds), not at equal steps.
          data: shown.times
            ? series.values.map((value, index) => ({ x: shown.times[index], y: Number(value) }))
            : series.values.map(Number),
          borderColor: hue,
          backgroundColor: hue,
          borderWidth: 2,
          pointRadius: 0,
          pointHitRadius: 12,
          borderRadius: 3,
          maxBarThickness: 20,
          stepped: shown.stepped || false,
        })),
      },
      options: {
        animation: false,
        maintainAspectRatio: false,
        interaction: { mode: "index", intersect: false },
        scales: {
          x: {
            ...(shown.times ? { type: "linear", min: shown.times[0], max: shown.times.at(-1) } : {}),
            grid: { display: false },
            border: {},
            ticks: {
              maxRotation: 0,
              autoSkipPadding: 16,
              ...(shown.times ? { maxTicksLimit: 8, callback: (value) => DAY.format(value) } : {}),
            },
            title: {},
          },
          y: {
            beginAtZero: true,
            grid: {},
            border: { display: false },
            ticks: { maxTicksLimit: 5 },
            title: { display: true, text: shown.unit },
          },
        },
        plugins: {
          colors: { enabled: false },
          legend: { display: many, align: "end", labels: { boxWidth: 10, boxHeight: 10 } },
          tooltip: shown.times
            ? { callbacks: { title: (items) => MOMENT.format(items[0].parsed.x) } }
            : {},
        },
      },
    });
    charts.push(chart);
    paint(chart);
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("canvas[data-source]").forEach(draw);
    document.querySelectorAll("#result_list [data-label]").forEach(({ dataset }) => {
      dataset.label = dataset.label.charAt(0).toUpperCase() + dataset.label.slice(1);
    });
    new MutationObserver(() => charts.forEach(paint)).observe(document.documentElement, {
      attributeFilter: ["class"],
    });
  });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.querySelector("[data-word]").textContent = "Copied";
    }
    document.querySelectorAll("details.s-menu[open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });

  document.addEventListener("keydown", (event) => {
    const menu = document.querySelector("details.s-menu[open]");
    if (event.key === "Escape" && menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-choose-all]")) {
      document.querySelectorAll("input[name=job]").forEach((box) => {
        box.checked = event.target.checked;
      });
    }
  });
})();
