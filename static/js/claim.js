// The Claim page: the field that helps typing, the camera where the browser reads codes, and the story told in words.

const ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ";
const LENGTH = 6;
// Long enough for a serial number's seventh symbol to be typed.
const PAUSE = 350;

const form = document.getElementById("claim-entry");
const field = document.getElementById("entry");
const answer = document.getElementById("answer");
const said = document.getElementById("claim-said");
let timer = 0;

const bare = (text) => text.replace(/[\s-]+/g, "");
const isLikeCode = (text) => text.length <= LENGTH && [...text].every((symbol) => ALPHABET.includes(symbol));

function grouped(text) {
  const symbols = bare(text);
  if (!isLikeCode(symbols)) return /^.{3} [^ ]+$/.test(text) && isLikeCode(symbols.slice(0, LENGTH)) ? symbols : text;
  return symbols.length > 3 ? `${symbols.slice(0, 3)} ${symbols.slice(3)}` : text.trimStart();
}

function rewrite(text) {
  const before = field.value.slice(0, field.selectionStart);
  const symbols = bare(before).length;
  field.value = text;
  let caret = 0;
  for (let seen = 0; caret < text.length && seen < symbols; caret += 1) if (!/[\s-]/.test(text[caret])) seen += 1;
  field.setSelectionRange(caret, caret);
}

function lookUpWhenComplete() {
  clearTimeout(timer);
  const symbols = bare(field.value);
  if (symbols.length !== LENGTH || !isLikeCode(symbols)) return;
  timer = setTimeout(() => form.dispatchEvent(new CustomEvent("code-complete")), PAUSE);
}

function onInput(event) {
  const upper = field.value.toUpperCase();
  // While somebody deletes, a blank that comes back would be in the way.
  const isDeleting = event.inputType?.startsWith("delete");
  const text = isDeleting ? upper : grouped(upper);
  if (text !== field.value) rewrite(text);
  measure();
  lookUpWhenComplete();
}

// Serial numbers are longer than codes.
function measure() {
  field.classList.toggle("is-long", field.value.length > LENGTH + 1);
}

function tell() {
  const told = answer.querySelector("[data-say]")?.dataset.say ?? "";
  if (said.textContent !== told) said.textContent = told;
  if (answer.querySelector(".steps, [data-next]") && document.activeElement !== field) {
    field.value = "";
    measure();
  }
  // The button that was pressed is gone; a keyboard must not start over at the top of the page.
  const focused = document.activeElement;
  if (focused === document.body || focused.tabIndex < 0) answer.querySelector("[data-focus]")?.focus({ preventScroll: true });
}

// --- Camera -----------------------------------------------------------------------------------------------------------

const FORMATS = ["qr_code", "data_matrix", "code_128", "code_39"];
const scan = document.getElementById("scan");
const scanner = document.getElementById("scanner");

// A QR code of ours is the address of this page; a bar code is a serial number.
function entryIn(text) {
  return URL.canParse(text) ? new URL(text).searchParams.get("code") ?? "" : text.trim();
}

async function read(detector, video) {
  while (scanner.open) {
    const [found] = video.readyState >= 2 ? await detector.detect(video) : [];
    const entry = found && entryIn(found.rawValue);
    if (entry) return entry;
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  return "";
}

async function useCamera() {
  const video = scanner.querySelector("video");
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  const known = await BarcodeDetector.getSupportedFormats();
  const detector = new BarcodeDetector({ formats: FORMATS.filter((format) => known.includes(format)) });
  scanner.showModal();
  video.srcObject = stream;
  await video.play();
  const entry = await read(detector, video);
  for (const track of stream.getTracks()) track.stop();
  scanner.close();
  if (!entry) return;
  field.value = grouped(entry.toUpperCase());
  measure();
  form.requestSubmit();
}

function offerCamera() {
  if (!("BarcodeDetector" in window) || !navigator.mediaDevices) return;
  scan.hidden = false;
  scan.addEventListener("click", () => useCamera().catch(() => field.focus()));
  scanner.querySelector("button").addEventListener("click", () => scanner.close());
}

// Viewers are shown no field.
if (form) {
  field.addEventListener("input", onInput);
  measure();
  form.addEventListener("submit", () => clearTimeout(timer));
  document.body.addEventListener("htmx:afterSwap", tell);
  offerCamera();
}
