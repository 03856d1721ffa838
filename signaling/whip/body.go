package whip

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/earshot-audio/earshot/signaling/wire"
)

// body reads the request's body, which must be of the media type and no longer
// than limit bytes.
func body(w http.ResponseWriter, r *http.Request, mediaType string, limit int) (string, error) {
	got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || got != mediaType {
		return "", wire.NewError(wire.CodeUnsupportedMediaType, "the content type must be "+mediaType)
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return "", wire.NewError(wire.CodeUnsupportedMediaType, "the content must not be encoded")
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(limit)))
	if err != nil {
		var tooLong *http.MaxBytesError
		if errors.As(err, &tooLong) {
			return "", wire.NewError(wire.CodeTooLarge, fmt.Sprintf("the body is longer than %d bytes", limit))
		}
		return "", wire.NewError(wire.CodeBadRequest, "the body could not be read to its end")
	}
	return string(text), nil
}
