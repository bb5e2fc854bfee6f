// librnn from Go by cgo: step a network, teach another three sentences, save it and load it.
//
//	go run sentences.go        with rnn.h and librnn.so where the C compiler looks, or in CGO_CFLAGS and CGO_LDFLAGS
//
// The structs are those of rnn.h. What they point to is C's memory, since a struct that goes to C may not hold Go's
// pointers.
package main

/*
#cgo LDFLAGS: -lrnn
#include <rnn/rnn.h>
#include <stdlib.h>

int32_t goProgress(rnn_progress_t *progress, void *user);
*/
import "C"

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/cgo"
	"sort"
	"strings"
	"unsafe"
)

var sentences = []string{"hey how are you", "good i am fine", "have a nice day"}

const end = "\n"

// The characters of the sentences and their end, in their order: an index is a place in it.
var alphabet = makeAlphabet()

func makeAlphabet() string {
	characters := strings.Split(strings.Join(sentences, "")+end, "")
	sort.Strings(characters)
	result := ""
	for _, c := range characters {
		if !strings.HasSuffix(result, c) {
			result += c
		}
	}
	return result
}

// An Error is a failed call.
type Error struct {
	Status  string
	Message string
}

func (e *Error) Error() string { return e.Status + ": " + e.Message }

// call makes a call of the library. A message belongs to a thread of the system, on which a goroutine need not stay.
func call(function func() C.rnn_status_t) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if status := function(); status != C.RNN_OK {
		return &Error{C.GoString(C.rnn_status_string(status)), C.GoString(C.rnn_last_error())}
	}
	return nil
}

// A Network is one stream.
type Network struct {
	handle *C.rnn_t
	config C.rnn_config_t
}

// Create makes a network; what is zero in config means its default.
func Create(config C.rnn_config_t) (*Network, error) {
	config.struct_size = C.sizeof_rnn_config_t
	network := &Network{config: config}
	return network, call(func() C.rnn_status_t { return C.rnn_create(&config, &network.handle) })
}

// Load reads a network from a file.
func Load(path string) (*Network, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	network := &Network{}
	network.config.struct_size = C.sizeof_rnn_config_t
	if err := call(func() C.rnn_status_t { return C.rnn_load(name, nil, &network.handle) }); err != nil {
		return nil, err
	}
	return network, call(func() C.rnn_status_t { return C.rnn_get_config(network.handle, &network.config) })
}

// Close releases the network.
func (n *Network) Close() { C.rnn_destroy(n.handle) }

// Save writes the network to a file.
func (n *Network) Save(path string) error {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	return call(func() C.rnn_status_t { return C.rnn_save(n.handle, name) })
}

// Step advances the stream by one input.
func (n *Network) Step(x []float32) ([]float32, error) {
	y := make([]float32, n.config.output_size)
	return y, call(func() C.rnn_status_t { return C.rnn_step(n.handle, (*C.float)(&x[0]), (*C.float)(&y[0])) })
}

// StepIndex does it with a one-hot input.
func (n *Network) StepIndex(index int32) ([]float32, error) {
	y := make([]float32, n.config.output_size)
	return y, call(func() C.rnn_status_t { return C.rnn_step_index(n.handle, C.int32_t(index), (*C.float)(&y[0])) })
}

// Generate goes on from the prompt with the most probable indices, up to stop.
func (n *Network) Generate(prompt []int32, stop int32, capacity int) ([]int32, error) {
	options := C.rnn_generate_options_t{prompt: cArray[C.int32_t](prompt), prompt_count: C.size_t(len(prompt)),
		greedy: 1, stop: 1, stop_index: C.int32_t(stop)}
	options.struct_size = C.sizeof_rnn_generate_options_t
	defer C.free(unsafe.Pointer(options.prompt))
	drawn := make([]int32, capacity)
	var count C.size_t
	if err := call(func() C.rnn_status_t { return C.rnn_reset(n.handle) }); err != nil {
		return nil, err
	}
	err := call(func() C.rnn_status_t {
		return C.rnn_generate(n.handle, &options, (*C.int32_t)(&drawn[0]), C.size_t(capacity), &count)
	})
	return drawn[:count], err
}

//export goProgress
func goProgress(progress *C.rnn_progress_t, user unsafe.Pointer) C.int32_t {
	report := (*(*cgo.Handle)(user)).Value().(func(update uint64, loss float64) bool)
	if report(uint64(progress.update), float64(progress.loss)) {
		return 1
	}
	return 0
}

// Train trains until report, which is called on this goroutine, returns true, or the epochs of options are over.
func (n *Network) Train(lengths []uint, indices, classes []int32, options C.rnn_train_options_t,
	report func(update uint64, loss float64) bool) error {
	data := C.rnn_sequences_t{struct_size: C.sizeof_rnn_sequences_t, count: C.size_t(len(lengths)),
		frames: C.size_t(len(indices)), lengths: cArray[C.size_t](lengths), indices: cArray[C.int32_t](indices),
		classes: cArray[C.int32_t](classes)}
	defer C.free(unsafe.Pointer(data.lengths))
	defer C.free(unsafe.Pointer(data.indices))
	defer C.free(unsafe.Pointer(data.classes))
	handle := cgo.NewHandle(report)
	defer handle.Delete()
	user := cArray[cgo.Handle]([]cgo.Handle{handle})
	defer C.free(unsafe.Pointer(user))
	options.struct_size = C.sizeof_rnn_train_options_t
	options.progress = C.rnn_progress_function_t(C.goProgress)
	options.user = unsafe.Pointer(user)
	return call(func() C.rnn_status_t { return C.rnn_train(n.handle, &data, &options) })
}

// cArray copies values to C's memory, which the caller frees.
func cArray[C_ any, Go any](values []Go) *C_ {
	size := len(values) * int(unsafe.Sizeof(values[0]))
	memory := C.malloc(C.size_t(size))
	copy(unsafe.Slice((*Go)(memory), len(values)), values)
	return (*C_)(memory)
}

func encode(text string) []int32 {
	var indices []int32
	for _, c := range text {
		indices = append(indices, int32(strings.IndexRune(alphabet, c)))
	}
	return indices
}

func decode(indices []int32) string {
	text := ""
	for _, index := range indices {
		text += alphabet[index : index+1]
	}
	return text
}

func printBits(label string, values []float32) {
	fmt.Print(label)
	for _, value := range values {
		fmt.Printf(" %08X", math.Float32bits(value))
	}
	fmt.Println()
}

func step() error {
	network, err := Create(C.rnn_config_t{cell: C.RNN_CELL_GRU, input_size: 2, hidden_size: 4, output_size: 2, seed: 7})
	if err != nil {
		return err
	}
	defer network.Close()
	for _, x := range [][]float32{{0.5, -1}, {0.25, 0}, {1, 2}} {
		y, err := network.Step(x)
		if err != nil {
			return err
		}
		printBits("step", y)
	}
	return nil
}

func learn() (*Network, error) {
	size := C.int32_t(len(alphabet))
	network, err := Create(C.rnn_config_t{input_size: size, hidden_size: 12, output_size: size, seed: 1})
	if err != nil {
		return nil, err
	}
	var lengths []uint
	next := ""
	for _, sentence := range sentences {
		lengths = append(lengths, uint(len(sentence)))
		next += sentence[1:] + end // each character predicts the next
	}
	options := C.rnn_train_options_t{learning_rate: 0.01, clip_norm: 1, epochs: 5000, threads: 1, report_every: 100}
	reports := 0
	err = network.Train(lengths, encode(strings.Join(sentences, "")), encode(next), options,
		func(update uint64, loss float64) bool {
			reports++
			fmt.Printf("update %d: loss %.6f\n", update, loss)
			return loss < 0.05 // enough: stop
		})
	fmt.Printf("%d reports\n", reports)
	return network, err
}

func complete(network *Network, start string) error {
	stop := encode(end)[0]
	drawn, err := network.Generate(encode(start), stop, 64)
	if err != nil {
		return err
	}
	fmt.Print(start + decode(drawn)) // with its end
	y, err := network.StepIndex(stop)
	if err != nil {
		return err
	}
	printBits("outputs", y[:4])
	return nil
}

func run() error {
	fmt.Println("librnn", C.GoString(C.rnn_version()))
	if _, err := Create(C.rnn_config_t{input_size: 2, hidden_size: -4}); err != nil {
		fmt.Println(err)
	}
	if err := step(); err != nil {
		return err
	}
	network, err := learn()
	if err != nil {
		return err
	}
	defer network.Close()
	if err := complete(network, "good"); err != nil {
		return err
	}
	if err := network.Save("sentences.safetensors"); err != nil {
		return err
	}
	loaded, err := Load("sentences.safetensors")
	if err != nil {
		return err
	}
	defer loaded.Close()
	return complete(loaded, "good")
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
