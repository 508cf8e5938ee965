// Follows runs that train: new points of the curves as they come, and the whole page when one of them has ended.
"use strict";
{
  const live = document.getElementById("live");
  let before = JSON.parse(live.dataset.training);

  const ask = async () => {
    const response = await fetch(`/api/curves?${live.dataset.runs}`);
    if (!response.ok) return;
    const { training, standing, curves } = await response.json();
    if (before.some((name) => !training.includes(name))) return location.reload();
    before = training;
    if (live.textContent === standing) return;
    assayCharts.update(curves);
    live.textContent = standing;
  };

  const follow = async () => {
    try {
      if (!document.hidden) await ask();
    } catch {
      // the server is away, or its answer is broken: the next one may be whole
    } finally {
      setTimeout(follow, 2000);
    }
  };

  setTimeout(follow, 2000);
}
