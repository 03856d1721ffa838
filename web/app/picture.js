/** How wide and high a picture is, in pixels. */
const side = 256;

/**
 * The middle of a picture, as a small square JPEG. What the file says besides its pixels, such
 * as where it was taken, does not leave the browser.
 * @param {Blob} file
 * @returns {Promise<Blob>}
 */
export async function square(file) {
  const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const size = Math.min(picture.width, picture.height);
  const context = canvas.getContext("2d");
  if (!context) throw new DOMException("there is no canvas", "NotSupportedError");
  context.fillStyle = "#fff"; // behind what shines through
  context.fillRect(0, 0, side, side);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, (picture.width - size) / 2, (picture.height - size) / 2, size, size, 0, 0, side, side);
  picture.close();
  return new Promise((resolve, reject) =>
    canvas.toBlob((made) => (made ? resolve(made) : reject(new DOMException("it cannot be drawn", "EncodingError"))), "image/jpeg", 0.85),
  );
}
