package hugepages_test

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/earshot-audio/earshot/internal/hugepages"
)

func TestReserveHeapGivesHugePagesToWhatIsAllocatedNext(t *testing.T) {
	if setting, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled"); err != nil || strings.Contains(string(setting), "[never]") {
		t.Skip("this system has no huge pages")
	}
	const size = 64 << 20
	require.NoError(t, hugepages.ReserveHeap(size))

	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	kept := make([][]byte, 32)
	for i := range kept {
		kept[i] = make([]byte, 1<<20)
	}
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	assert.Less(t, int64(after.HeapSys)-int64(before.HeapSys), int64(size/2), "it is allocated in what is reserved")
	huge := 0
	for _, b := range kept {
		if slices.Contains(flags(t, uintptr(unsafe.Pointer(unsafe.SliceData(b)))), "hg") {
			huge++
		}
	}
	assert.Greater(t, huge, len(kept)/2, "the kernel is asked for huge pages there")
	runtime.KeepAlive(kept)
}

func TestReserveHeapTakesNoMemory(t *testing.T) {
	before := resident(t)
	_ = hugepages.ReserveHeap(1 << 30)
	assert.Less(t, resident(t)-before, 64<<10, "KB of memory")
}

func TestReserveHeapReturnsAnErrorWhereAddressesEnd(t *testing.T) {
	assert.Error(t, hugepages.ReserveHeap(1<<48), "more than a process can have")
	assert.NotEmpty(t, make([]byte, 1<<20), "the heap works")
}

// flags returns the kernel's flags of the mapping with an address (proc(5), VmFlags).
func flags(t *testing.T, address uintptr) []string {
	f, err := os.Open("/proc/self/smaps")
	require.NoError(t, err)
	defer f.Close()
	inside := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var from, to uintptr
		if n, _ := fmt.Sscanf(lines.Text(), "%x-%x ", &from, &to); n == 2 {
			inside = from <= address && address < to
		}
		if names, ok := strings.CutPrefix(lines.Text(), "VmFlags:"); ok && inside {
			return strings.Fields(names)
		}
	}
	require.FailNow(t, "no mapping has the address")
	return nil
}

// resident returns the memory that this process has, in KB.
func resident(t *testing.T) (kilobytes int) {
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	_, err = fmt.Sscanf(rest, "%d kB", &kilobytes)
	require.NoError(t, err)
	return kilobytes
}
