"use strict";
const test = JSON.parse(document.getElementById("test").textContent);
const at = (id) => document.getElementById(id);
const right = []; // one entry per answer: true where it was the modified model's
// each number of the code is even where the modified model wrote the first passage
const placeOfModified = (pair) => 1 + (parseInt(test.code.slice(4 * pair, 4 * pair + 4), 16) % 2);

function show() {
  const pair = right.length;
  if (pair === test.pairs.length) return end();
  const [prompt, first, second] = test.pairs[pair];
  at("count").textContent = `Pair ${pair + 1} of ${test.pairs.length}`;
  at("prompt").textContent = prompt;
  at("text1").textContent = first;
  at("text2").textContent = second;
}

function answer(place) {
  if (right.length === test.pairs.length) return;
  right.push(placeOfModified(right.length) === place);
  show();
  at("count").scrollIntoView?.(); // on a phone the passages reach below the screen
}

function end() {
  const hits = right.filter(Boolean).length;
  at("asking").hidden = true;
  at("result").hidden = false;
  at("score").textContent = test.results[hits];
  at("line").value = test.lines[hits];
  at("which").textContent = right.map((hit, k) => `${k + 1}\u00a0${hit ? "right" : "wrong"}`).join(", ");
  at("copy").focus();
}

function copy() {
  at("line").select();
  const said = (words) => () => (at("copied").textContent = words);
  const byHand = said("The line is selected: copy it with your browser.");
  if (navigator.clipboard) navigator.clipboard.writeText(at("line").value).then(said("Copied."), byHand);
  else if (document.execCommand?.("copy")) said("Copied.")();
  else byHand();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const place = { 1: 1, 2: 2, ArrowLeft: 1, ArrowRight: 2 }[event.key];
  if (place) answer(place);
  else if (event.key === "c" && !at("result").hidden) copy();
});
// the second click of a double click would answer a pair that nobody has read
at("first").addEventListener("click", (event) => event.detail > 1 || answer(1));
at("second").addEventListener("click", (event) => event.detail > 1 || answer(2));
at("copy").addEventListener("click", copy);
at("asking").hidden = false;
show();
