// Follows runs that train: new points of the curves as they come, and the whole page when one has ended.
"use strict";
{
  const live = document.getElementById("live");

  const follow = async () => {
    const response = document.hidden ? null : await fetch(`/api/curves?${live.dataset.runs}`).catch(() => null);
    if (response?.ok) {
      const { standing, curves } = await response.json();
      if (!standing) return location.reload();
      if (live.textContent !== standing) {
        live.textContent = standing;
        assayCharts.update(curves);
      }
    }
    setTimeout(follow, 2000);
  };

  setTimeout(follow, 2000);
}
