// Draws the box while it is dragged: only its two corners go to the server.
document.addEventListener("mousedown", (down) => {
  if (!down.target.matches(".prompted img")) return;
  const box = document.body.appendChild(Object.assign(document.createElement("div"), { className: "rubber" }));
  const draw = (at) => Object.assign(box.style, {
    left: `${Math.min(at.clientX, down.clientX)}px`, width: `${Math.abs(at.clientX - down.clientX)}px`,
    top: `${Math.min(at.clientY, down.clientY)}px`, height: `${Math.abs(at.clientY - down.clientY)}px`,
  });
  draw(down);
  document.addEventListener("mousemove", draw);
  document.addEventListener("mouseup", () => {
    document.removeEventListener("mousemove", draw);
    box.remove();
  }, { once: true });
});
