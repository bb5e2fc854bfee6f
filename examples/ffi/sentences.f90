! librnn from Fortran by iso_c_binding: step a network, teach another three sentences, save it and load it.
!
!   gfortran sentences.f90 -lrnn && ./a.out
!   ./a.out --layout               the structs as defined here
module rnn
  use, intrinsic :: iso_c_binding
  implicit none

  integer(c_int32_t), parameter :: gru = 2

  ! What is zero means its default.
  type, bind(c) :: config_t
    integer(c_size_t) :: struct_size = 0
    integer(c_int32_t) :: cell = 0, input_size = 0, hidden_size = 0, output_size = 0, num_layers = 0, init = 0
    integer(c_int32_t) :: recurrent_init = 0
    real(c_float) :: init_range = 0
    integer(c_int64_t) :: seed = 0
    integer(c_int32_t) :: initial_state = 0, compute = 0, flags = 0, projection_size = 0
    type(c_ptr) :: allocator = c_null_ptr
    integer(c_int32_t) :: embedding_size = 0
    real(c_float) :: forget_bias = 0
  end type

  type, bind(c) :: sequences_t
    integer(c_size_t) :: struct_size = 0, count = 0, frames = 0
    type(c_ptr) :: lengths = c_null_ptr, inputs = c_null_ptr, indices = c_null_ptr, targets = c_null_ptr
    type(c_ptr) :: classes = c_null_ptr, weights = c_null_ptr, resets = c_null_ptr
    integer(c_int32_t) :: pooling = 0, reserved = 0
  end type

  type, bind(c) :: generate_options_t
    integer(c_size_t) :: struct_size = 0
    type(c_ptr) :: prompt = c_null_ptr
    integer(c_size_t) :: prompt_count = 0
    real(c_float) :: temperature = 0, top_p = 0
    integer(c_int32_t) :: top_k = 0, greedy = 0
    integer(c_int64_t) :: seed = 0
    integer(c_int32_t) :: stop = 0, stop_index = 0
  end type

  type, bind(c) :: progress_t
    integer(c_size_t) :: struct_size = 0
    integer(c_int32_t) :: event = 0, epoch = 0
    integer(c_int64_t) :: update = 0, total_updates = 0
    real(c_double) :: loss = 0, validation_loss = 0, gradient_norm = 0, learning_rate = 0, steps_per_second = 0
  end type

  type, bind(c) :: train_options_t
    integer(c_size_t) :: struct_size = 0
    integer(c_int32_t) :: loss = 0, optimizer = 0
    real(c_float) :: learning_rate = 0, momentum = 0, beta1 = 0, beta2 = 0, epsilon = 0, weight_decay = 0
    integer(c_int32_t) :: nesterov = 0
    real(c_float) :: clip_norm = 0, clip_value = 0
    integer(c_int32_t) :: schedule = 0
    real(c_float) :: schedule_factor = 0
    integer(c_int32_t) :: schedule_updates = 0, warmup_updates = 0, epochs = 0, batch_size = 0, window = 0
    integer(c_int32_t) :: stateless_windows = 0, keep_order = 0
    integer(c_int64_t) :: seed = 0
    integer(c_int32_t) :: threads = 0, validate_every = 0, patience = 0, report_every = 0
    type(c_ptr) :: validation = c_null_ptr
    type(c_funptr) :: progress = c_null_funptr
    type(c_ptr) :: user = c_null_ptr
    real(c_float) :: dropout = 0, scheduled_sampling = 0, average = 0
    integer(c_int32_t) :: accumulate = 0, restore_best = 0, group_count = 0
    type(c_ptr) :: groups = c_null_ptr
  end type

  interface
    type(c_ptr) function rnn_version() bind(c)
      import
    end function
    type(c_ptr) function rnn_last_error() bind(c)
      import
    end function
    type(c_ptr) function rnn_status_string(status) bind(c)
      import
      integer(c_int32_t), value :: status
    end function
    integer(c_int32_t) function rnn_create(config, out) bind(c)
      import
      type(config_t), intent(in) :: config
      type(c_ptr), intent(out) :: out
    end function
    subroutine rnn_destroy(handle) bind(c)
      import
      type(c_ptr), value :: handle
    end subroutine
    integer(c_int32_t) function rnn_reset(handle) bind(c)
      import
      type(c_ptr), value :: handle
    end function
    integer(c_int32_t) function rnn_step(handle, x, y) bind(c)
      import
      type(c_ptr), value :: handle
      real(c_float), intent(in) :: x(*)
      real(c_float), intent(inout) :: y(*)
    end function
    integer(c_int32_t) function rnn_step_index(handle, index, y) bind(c)
      import
      type(c_ptr), value :: handle
      integer(c_int32_t), value :: index
      real(c_float), intent(inout) :: y(*)
    end function
    integer(c_int32_t) function rnn_train(handle, data, options) bind(c)
      import
      type(c_ptr), value :: handle
      type(sequences_t), intent(in) :: data
      type(train_options_t), intent(in) :: options
    end function
    integer(c_int32_t) function rnn_generate(handle, options, drawn, capacity, written) bind(c)
      import
      type(c_ptr), value :: handle
      type(generate_options_t), intent(in) :: options
      integer(c_int32_t), intent(inout) :: drawn(*)
      integer(c_size_t), value :: capacity
      integer(c_size_t), intent(out) :: written
    end function
    integer(c_int32_t) function rnn_save(handle, path) bind(c)
      import
      type(c_ptr), value :: handle
      character(kind=c_char), intent(in) :: path(*)
    end function
    integer(c_int32_t) function rnn_load(path, allocator, out) bind(c)
      import
      character(kind=c_char), intent(in) :: path(*)
      type(c_ptr), value :: allocator
      type(c_ptr), intent(out) :: out
    end function
    integer(c_size_t) function strlen(text) bind(c)
      import
      type(c_ptr), value :: text
    end function
  end interface

contains

  function string(text) result(copy)
    type(c_ptr), intent(in) :: text
    character(:), allocatable :: copy
    character(kind=c_char), pointer :: characters(:)
    integer :: i
    call c_f_pointer(text, characters, [strlen(text)])
    allocate (character(size(characters)) :: copy)
    do i = 1, size(characters)
      copy(i:i) = characters(i)
    end do
  end function

  subroutine check(status)
    integer(c_int32_t), intent(in) :: status
    if (status == 0) return
    print '(a)', string(rnn_last_error())
    error stop
  end subroutine

end module

module work
  use rnn
  implicit none

  character(*), parameter :: sentences(3) = [character(15) :: 'hey how are you', 'good i am fine', 'have a nice day']
  character, parameter :: end_mark = new_line('a')
  character(:), allocatable :: alphabet ! the characters of the sentences and their end: an index is a place in it

contains

  subroutine make_alphabet()
    integer :: c
    alphabet = ''
    do c = 1, 127
      if (char(c) == end_mark .or. any(index(sentences, char(c)) > 0)) alphabet = alphabet // char(c)
    end do
  end subroutine

  function encode(text) result(indices)
    character(*), intent(in) :: text
    integer(c_int32_t) :: indices(len(text))
    integer :: i
    indices = [(int(index(alphabet, text(i:i)) - 1, c_int32_t), i = 1, len(text))]
  end function

  ! Values to the last bit, as a comparison needs them.
  subroutine print_bits(label, values)
    character(*), intent(in) :: label
    real(c_float), intent(in) :: values(:)
    integer :: i
    print '(a, *(1x, z8.8))', label, (transfer(values(i), 0_c_int32_t), i = 1, size(values))
  end subroutine

  subroutine refuse()
    type(config_t) :: config
    type(c_ptr) :: network
    integer(c_int32_t) :: status
    config = config_t(struct_size=c_sizeof(config), input_size=2, hidden_size=-4)
    status = rnn_create(config, network)
    print '(3a)', string(rnn_status_string(status)), ': ', string(rnn_last_error())
  end subroutine

  subroutine step()
    real(c_float), parameter :: inputs(2, 3) = reshape([0.5, -1.0, 0.25, 0.0, 1.0, 2.0], [2, 3])
    type(config_t) :: config
    type(c_ptr) :: network
    real(c_float) :: y(2)
    integer :: t
    config = config_t(struct_size=c_sizeof(config), cell=gru, input_size=2, hidden_size=4, output_size=2, seed=7)
    call check(rnn_create(config, network))
    do t = 1, 3
      call check(rnn_step(network, inputs(:, t), y))
      call print_bits('step', y)
    end do
    call rnn_destroy(network)
  end subroutine

  integer(c_int32_t) function report(progress, user) bind(c) result(stop)
    type(progress_t), intent(in) :: progress
    type(c_ptr), value :: user
    integer, pointer :: reports
    call c_f_pointer(user, reports)
    reports = reports + 1
    print '(a, i0, a, f8.6)', 'update ', progress%update, ': loss ', progress%loss
    stop = merge(1, 0, progress%loss < 0.05) ! enough: stop
  end function

  type(c_ptr) function learn() result(network)
    integer(c_size_t), target :: lengths(size(sentences))
    integer(c_int32_t), allocatable, target :: indices(:), classes(:)
    integer, target :: reports
    type(config_t) :: config
    type(sequences_t) :: data
    type(train_options_t) :: options
    character(:), allocatable :: sentence
    integer :: i
    allocate (indices(0), classes(0))
    do i = 1, size(sentences)
      sentence = trim(sentences(i))
      lengths(i) = len(sentence)
      indices = [indices, encode(sentence)]
      classes = [classes, encode(sentence(2:) // end_mark)] ! each character predicts the next
    end do
    data = sequences_t(struct_size=c_sizeof(data), count=size(lengths), frames=size(indices), lengths=c_loc(lengths), &
                       indices=c_loc(indices), classes=c_loc(classes))
    options = train_options_t(struct_size=c_sizeof(options), learning_rate=0.01, clip_norm=1, epochs=5000, threads=1, &
                              report_every=100, progress=c_funloc(report), user=c_loc(reports))
    config = config_t(struct_size=c_sizeof(config), input_size=len(alphabet), hidden_size=12, &
                      output_size=len(alphabet), seed=1)
    reports = 0
    call check(rnn_create(config, network))
    call check(rnn_train(network, data, options))
    print '(i0, a)', reports, ' reports'
  end function

  subroutine complete(network, start)
    type(c_ptr), intent(in) :: network
    character(*), intent(in) :: start
    integer(c_int32_t), target :: prompt(len(start))
    integer(c_int32_t) :: drawn(64)
    integer(c_size_t) :: count
    real(c_float) :: y(len(alphabet))
    type(generate_options_t) :: options
    integer :: i, stop_index(1)
    prompt = encode(start)
    stop_index = encode(end_mark)
    options = generate_options_t(struct_size=c_sizeof(options), prompt=c_loc(prompt), prompt_count=size(prompt), &
                                 greedy=1, stop=1, stop_index=stop_index(1))
    call check(rnn_reset(network))
    call check(rnn_generate(network, options, drawn, size(drawn, kind=c_size_t), count))
    print '(*(a))', start, (alphabet(drawn(i) + 1:drawn(i) + 1), i = 1, int(count) - 1) ! without its end
    call check(rnn_step_index(network, options%stop_index, y))
    call print_bits('outputs', y(:4))
  end subroutine

end module

module layout
  use rnn
  implicit none

  character(:), allocatable, private :: struct_name
  integer(c_intptr_t), private :: struct_place

contains

  ! The language cannot list a type's components: each by hand.
  subroutine print_layout()
    type(config_t), target :: config
    type(sequences_t), target :: sequences
    type(generate_options_t), target :: generate_options
    type(progress_t), target :: progress
    type(train_options_t), target :: train_options
    associate (s => config)
      call struct('rnn_config_t', c_loc(s), c_sizeof(s))
      call field('struct_size', c_loc(s%struct_size), c_sizeof(s%struct_size))
      call field('cell', c_loc(s%cell), c_sizeof(s%cell))
      call field('input_size', c_loc(s%input_size), c_sizeof(s%input_size))
      call field('hidden_size', c_loc(s%hidden_size), c_sizeof(s%hidden_size))
      call field('output_size', c_loc(s%output_size), c_sizeof(s%output_size))
      call field('num_layers', c_loc(s%num_layers), c_sizeof(s%num_layers))
      call field('init', c_loc(s%init), c_sizeof(s%init))
      call field('recurrent_init', c_loc(s%recurrent_init), c_sizeof(s%recurrent_init))
      call field('init_range', c_loc(s%init_range), c_sizeof(s%init_range))
      call field('seed', c_loc(s%seed), c_sizeof(s%seed))
      call field('initial_state', c_loc(s%initial_state), c_sizeof(s%initial_state))
      call field('compute', c_loc(s%compute), c_sizeof(s%compute))
      call field('flags', c_loc(s%flags), c_sizeof(s%flags))
      call field('projection_size', c_loc(s%projection_size), c_sizeof(s%projection_size))
      call field('allocator', c_loc(s%allocator), c_sizeof(s%allocator))
      call field('embedding_size', c_loc(s%embedding_size), c_sizeof(s%embedding_size))
      call field('forget_bias', c_loc(s%forget_bias), c_sizeof(s%forget_bias))
    end associate
    associate (s => sequences)
      call struct('rnn_sequences_t', c_loc(s), c_sizeof(s))
      call field('struct_size', c_loc(s%struct_size), c_sizeof(s%struct_size))
      call field('count', c_loc(s%count), c_sizeof(s%count)); call field('frames', c_loc(s%frames), c_sizeof(s%frames))
      call field('lengths', c_loc(s%lengths), c_sizeof(s%lengths))
      call field('inputs', c_loc(s%inputs), c_sizeof(s%inputs))
      call field('indices', c_loc(s%indices), c_sizeof(s%indices))
      call field('targets', c_loc(s%targets), c_sizeof(s%targets))
      call field('classes', c_loc(s%classes), c_sizeof(s%classes))
      call field('weights', c_loc(s%weights), c_sizeof(s%weights))
      call field('resets', c_loc(s%resets), c_sizeof(s%resets))
      call field('pooling', c_loc(s%pooling), c_sizeof(s%pooling))
      call field('reserved', c_loc(s%reserved), c_sizeof(s%reserved))
    end associate
    associate (s => generate_options)
      call struct('rnn_generate_options_t', c_loc(s), c_sizeof(s))
      call field('struct_size', c_loc(s%struct_size), c_sizeof(s%struct_size))
      call field('prompt', c_loc(s%prompt), c_sizeof(s%prompt))
      call field('prompt_count', c_loc(s%prompt_count), c_sizeof(s%prompt_count))
      call field('temperature', c_loc(s%temperature), c_sizeof(s%temperature))
      call field('top_p', c_loc(s%top_p), c_sizeof(s%top_p)); call field('top_k', c_loc(s%top_k), c_sizeof(s%top_k))
      call field('greedy', c_loc(s%greedy), c_sizeof(s%greedy)); call field('seed', c_loc(s%seed), c_sizeof(s%seed))
      call field('stop', c_loc(s%stop), c_sizeof(s%stop))
      call field('stop_index', c_loc(s%stop_index), c_sizeof(s%stop_index))
    end associate
    associate (s => progress)
      call struct('rnn_progress_t', c_loc(s), c_sizeof(s))
      call field('struct_size', c_loc(s%struct_size), c_sizeof(s%struct_size))
      call field('event', c_loc(s%event), c_sizeof(s%event)); call field('epoch', c_loc(s%epoch), c_sizeof(s%epoch))
      call field('update', c_loc(s%update), c_sizeof(s%update))
      call field('total_updates', c_loc(s%total_updates), c_sizeof(s%total_updates))
      call field('loss', c_loc(s%loss), c_sizeof(s%loss))
      call field('validation_loss', c_loc(s%validation_loss), c_sizeof(s%validation_loss))
      call field('gradient_norm', c_loc(s%gradient_norm), c_sizeof(s%gradient_norm))
      call field('learning_rate', c_loc(s%learning_rate), c_sizeof(s%learning_rate))
      call field('steps_per_second', c_loc(s%steps_per_second), c_sizeof(s%steps_per_second))
    end associate
    associate (s => train_options)
      call struct('rnn_train_options_t', c_loc(s), c_sizeof(s))
      call field('struct_size', c_loc(s%struct_size), c_sizeof(s%struct_size))
      call field('loss', c_loc(s%loss), c_sizeof(s%loss))
      call field('optimizer', c_loc(s%optimizer), c_sizeof(s%optimizer))
      call field('learning_rate', c_loc(s%learning_rate), c_sizeof(s%learning_rate))
      call field('momentum', c_loc(s%momentum), c_sizeof(s%momentum))
      call field('beta1', c_loc(s%beta1), c_sizeof(s%beta1)); call field('beta2', c_loc(s%beta2), c_sizeof(s%beta2))
      call field('epsilon', c_loc(s%epsilon), c_sizeof(s%epsilon))
      call field('weight_decay', c_loc(s%weight_decay), c_sizeof(s%weight_decay))
      call field('nesterov', c_loc(s%nesterov), c_sizeof(s%nesterov))
      call field('clip_norm', c_loc(s%clip_norm), c_sizeof(s%clip_norm))
      call field('clip_value', c_loc(s%clip_value), c_sizeof(s%clip_value))
      call field('schedule', c_loc(s%schedule), c_sizeof(s%schedule))
      call field('schedule_factor', c_loc(s%schedule_factor), c_sizeof(s%schedule_factor))
      call field('schedule_updates', c_loc(s%schedule_updates), c_sizeof(s%schedule_updates))
      call field('warmup_updates', c_loc(s%warmup_updates), c_sizeof(s%warmup_updates))
      call field('epochs', c_loc(s%epochs), c_sizeof(s%epochs))
      call field('batch_size', c_loc(s%batch_size), c_sizeof(s%batch_size))
      call field('window', c_loc(s%window), c_sizeof(s%window))
      call field('stateless_windows', c_loc(s%stateless_windows), c_sizeof(s%stateless_windows))
      call field('keep_order', c_loc(s%keep_order), c_sizeof(s%keep_order))
      call field('seed', c_loc(s%seed), c_sizeof(s%seed)); call field('threads', c_loc(s%threads), c_sizeof(s%threads))
      call field('validate_every', c_loc(s%validate_every), c_sizeof(s%validate_every))
      call field('patience', c_loc(s%patience), c_sizeof(s%patience))
      call field('report_every', c_loc(s%report_every), c_sizeof(s%report_every))
      call field('validation', c_loc(s%validation), c_sizeof(s%validation))
      call field('progress', c_loc(s%progress), c_sizeof(s%progress))
      call field('user', c_loc(s%user), c_sizeof(s%user)); call field('dropout', c_loc(s%dropout), c_sizeof(s%dropout))
      call field('scheduled_sampling', c_loc(s%scheduled_sampling), c_sizeof(s%scheduled_sampling))
      call field('average', c_loc(s%average), c_sizeof(s%average))
      call field('accumulate', c_loc(s%accumulate), c_sizeof(s%accumulate))
      call field('restore_best', c_loc(s%restore_best), c_sizeof(s%restore_best))
      call field('group_count', c_loc(s%group_count), c_sizeof(s%group_count))
      call field('groups', c_loc(s%groups), c_sizeof(s%groups))
    end associate
  end subroutine

  subroutine struct(name, place, bytes)
    character(*), intent(in) :: name
    type(c_ptr), intent(in) :: place
    integer(c_size_t), intent(in) :: bytes
    struct_name = name
    struct_place = transfer(place, struct_place)
    print '(a, 1x, i0)', name, bytes
  end subroutine

  subroutine field(name, place, bytes)
    character(*), intent(in) :: name
    type(c_ptr), intent(in) :: place
    integer(c_size_t), intent(in) :: bytes
    print '(3a, 2(1x, i0))', struct_name, '.', name, transfer(place, struct_place) - struct_place, bytes
  end subroutine

end module

program main
  use work
  use layout
  implicit none
  character(*), parameter :: file = 'sentences.safetensors' // c_null_char
  character(16) :: argument
  type(c_ptr) :: network, loaded

  call get_command_argument(1, argument)
  if (argument == '--layout') then
    call print_layout()
    stop
  end if
  print '(2a)', 'librnn ', string(rnn_version())
  call refuse()
  call step()
  call make_alphabet()
  network = learn()
  call complete(network, 'good')
  call check(rnn_save(network, file))
  call check(rnn_load(file, c_null_ptr, loaded))
  call complete(loaded, 'good')
  call rnn_destroy(loaded)
  call rnn_destroy(network)
end program
