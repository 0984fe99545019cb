// A tap on an order number or a postcode copies it, to be pasted into the chat.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    return;
  }
  button.classList.add("copied");
  setTimeout(() => button.classList.remove("copied"), 1200);
});
