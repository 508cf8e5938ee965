// Sends a dropped, pasted or chosen image to a model, and shows its answer.
"use strict";

const part = (id) => document.getElementById(id);
let image = null; // the last one: another model is asked about it too
let waiting = null;

function say(text, wrong = false) {
  part("status").textContent = text;
  part("status").classList.toggle("wrong", wrong);
}

async function ask() {
  if (!image) return;
  const most = Number(part("ask").dataset.most);
  waiting?.abort();
  if (image.size > most) {
    part("answer").hidden = true;
    return say(`${image.name} is larger than ${most / 2 ** 20} MiB`, true);
  }
  const mine = (waiting = new AbortController());
  const form = new FormData();
  form.append("model", part("model").value);
  form.append("image", image, image.name || "pasted image");
  say("Asking the model…");
  try {
    const response = await fetch("/api/predict", { method: "POST", body: form, signal: mine.signal });
    const answer = await response.json().catch(() => ({}));
    if (!answer.classes) throw new Error(answer.error ?? `the server answers ${response.status} ${response.statusText}`);
    show(answer);
    say("");
  } catch (error) {
    if (mine.signal.aborted) return;
    part("answer").hidden = true;
    say(error instanceof TypeError ? "the server does not answer" : error.message, true);
  }
}

function show(answer) {
  part("answer-name").textContent = answer.name;
  for (const id of ["picture", "under"]) part(id).src = answer.picture;
  part("picture-caption").textContent = `As the model sees it: ${answer.side} × ${answer.side} pixels.`;
  part("classes").replaceChildren(...answer.classes.map((one, rank) => choice(one, rank, answer.layer)));
  showMap(answer.classes[0], answer.layer);
  part("answer").hidden = false;
}

function choice(one, rank, layer) {
  const row = document.createElement("label");
  const radio = Object.assign(document.createElement("input"), { type: "radio", name: "class", checked: rank === 0 });
  radio.addEventListener("change", () => showMap(one, layer));
  const bar = document.createElement("span");
  bar.className = "bar";
  bar.style.setProperty("--share", one.probability);
  row.append(radio, text("name", one.name), bar, text("share", percent(one.probability)));
  return row;
}

function text(kind, words) {
  return Object.assign(document.createElement("span"), { className: kind, textContent: words });
}

function percent(share) {
  return share > 0 && share < 0.0005 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`;
}

function showMap(one, layer) {
  part("map").hidden = !one.map;
  if (one.map) part("map").src = one.map;
  part("map").alt = one.map ? `Map of the evidence for ${one.name}` : "";
  part("map-caption").textContent = !layer
    ? "This network has no maps of more than one position."
    : one.map
      ? `Bright where ${layer} speaks for ${one.name} (Grad-CAM), scaled to its own largest value.`
      : `Nothing at ${layer} speaks for ${one.name} (Grad-CAM).`;
}

function take(files) {
  if (!part("ask")) return; // there is no model
  const found = [...files].find((file) => file.type.startsWith("image/")) ?? files[0];
  if (!found) return say("That was no image file.", true);
  image = found;
  ask();
}

part("ask")?.addEventListener("submit", (event) => event.preventDefault());
part("model")?.addEventListener("change", ask);
part("image")?.addEventListener("change", (event) => {
  if (event.target.files.length) take(event.target.files);
  event.target.value = ""; // so that the same file can be chosen again
});
addEventListener("paste", (event) => event.clipboardData.files.length && take(event.clipboardData.files));
for (const kind of ["dragover", "drop", "dragleave"])
  addEventListener(kind, (event) => {
    event.preventDefault(); // or the browser would leave this page for the image
    part("drop")?.classList.toggle("over", kind === "dragover");
    if (kind === "drop") take(event.dataTransfer.files);
  });
