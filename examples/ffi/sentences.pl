# librnn from Perl by FFI::Platypus: step a network, teach another three sentences, save it and load it.
#
#   perl sentences.pl              with librnn.so.0 where the loader looks, or in LD_LIBRARY_PATH
#   perl sentences.pl --layout     the structs as defined here
use v5.26;
use warnings;
use experimental 'signatures';

use FFI::Platypus 2.00;
use FFI::Platypus::Buffer 'scalar_to_pointer';

use constant {GRU => 2, END_MARK => "\n"};
my @sentences = ('hey how are you', 'good i am fine', 'have a nice day');
my %characters = map { $_ => 1 } split //, join('', @sentences, END_MARK);
my @alphabet = sort keys %characters;    # an index is a place in it
my %index_of = map { $alphabet[$_] => $_ } 0 .. $#alphabet;

my $ffi = FFI::Platypus->new(api => 2, lib => 'librnn.so.0');

# Structs of rnn.h, which start with struct_size: pairs of a type and names.
my %structs = (
    rnn_config_t => [
        sint32 => 'cell input_size hidden_size output_size num_layers init recurrent_init', float => 'init_range',
        uint64 => 'seed', sint32 => 'initial_state compute', uint32 => 'flags', sint32 => 'projection_size',
        opaque => 'allocator', sint32 => 'embedding_size', float => 'forget_bias',
    ],
    rnn_sequences_t => [
        size_t => 'count frames', opaque => 'lengths inputs indices targets classes weights resets',
        sint32 => 'pooling reserved',
    ],
    rnn_generate_options_t => [
        opaque => 'prompt', size_t => 'prompt_count', float => 'temperature top_p', sint32 => 'top_k greedy',
        uint64 => 'seed', sint32 => 'stop stop_index',
    ],
    rnn_progress_t => [
        sint32 => 'event epoch', uint64 => 'update total_updates',
        double => 'loss validation_loss gradient_norm learning_rate steps_per_second',
    ],
    rnn_train_options_t => [
        sint32 => 'loss optimizer', float => 'learning_rate momentum beta1 beta2 epsilon weight_decay',
        sint32 => 'nesterov', float => 'clip_norm clip_value', sint32 => 'schedule', float => 'schedule_factor',
        sint32 => 'schedule_updates warmup_updates epochs batch_size window stateless_windows keep_order',
        uint64 => 'seed', sint32 => 'threads validate_every patience report_every',
        opaque => 'validation progress user', float => 'dropout scheduled_sampling average',
        sint32 => 'accumulate restore_best group_count', opaque => 'groups',
    ],
);

# The fields of a struct as pairs of a type and a name.
sub fields ($name) {
    my @pairs = ('size_t', 'struct_size', @{$structs{$name}});
    my @fields;
    while (my ($type, $names) = splice @pairs, 0, 2) {
        push @fields, map { [$type, $_] } split ' ', $names;
    }
    return @fields;
}

for my $name (keys %structs) {
    my $layout = join ', ', map { "$_->[0] => '$_->[1]'" } fields($name);
    eval "package $name; use FFI::Platypus::Record; record_layout_1($layout); 1" or die $@;
    $ffi->type("record($name)*" => $name);
}

$ffi->mangler(sub ($name) { "rnn_$name" });
$ffi->type('(opaque, opaque)->sint32' => 'progress_function');
$ffi->attach(version => [] => 'string');
$ffi->attach(last_error => [] => 'string');
$ffi->attach(status_string => ['sint32'] => 'string');
$ffi->attach(create => ['rnn_config_t', 'opaque*'] => 'sint32');
$ffi->attach(destroy => ['opaque'] => 'void');
$ffi->attach([reset => 'reset_state'] => ['opaque'] => 'sint32');
$ffi->attach([step => 'step_network'] => ['opaque', 'float[]', 'float[]'] => 'sint32');
$ffi->attach(step_index => ['opaque', 'sint32', 'float[]'] => 'sint32');
$ffi->attach(train => ['opaque', 'rnn_sequences_t', 'rnn_train_options_t'] => 'sint32');
$ffi->attach(generate => ['opaque', 'rnn_generate_options_t', 'sint32[]', 'size_t', 'size_t*'] => 'sint32');
$ffi->attach(save => ['opaque', 'string'] => 'sint32');
$ffi->attach(load => ['string', 'opaque', 'opaque*'] => 'sint32');

# A failed call dies with its status and message.
sub check ($status) {
    die status_string($status), ': ', last_error(), "\n" if $status != 0;
}

# What is not given is zero, which means its default.
sub sized ($name, %values) {
    return $name->new(struct_size => $ffi->sizeof("record($name)"), %values);
}

sub new_network (%config) {
    my $handle;
    check(create(sized('rnn_config_t', %config), \$handle));
    return $handle;
}

sub load_network ($path) {
    my $handle;
    check(load($path, undef, \$handle));
    return $handle;
}

sub encode ($text) {
    return map { $index_of{$_} } split //, $text;
}

sub print_bits ($label, @values) {
    say join ' ', $label, map { sprintf '%08X', unpack 'L', pack 'f', $_ } @values;
}

sub refuse {
    eval { new_network(input_size => 2, hidden_size => -4) };
    print $@;
}

sub step {
    my $network = new_network(cell => GRU, input_size => 2, hidden_size => 4, output_size => 2, seed => 7);
    for my $x ([0.5, -1], [0.25, 0], [1, 2]) {
        my @y = (0, 0);
        check(step_network($network, $x, \@y));
        print_bits('step', @y);
    }
    destroy($network);
}

sub learn {
    my $network = new_network(input_size => scalar @alphabet, hidden_size => 12, output_size => scalar @alphabet,
                              seed => 1);
    my $lengths = pack 'Q*', map { length } @sentences;
    my $indices = pack 'l*', encode(join '', @sentences);
    my $classes = pack 'l*', encode(join '', map { substr($_, 1) . END_MARK } @sentences);    # each predicts the next
    my $data = sized(
        'rnn_sequences_t', count => scalar @sentences, frames => length($indices) / 4,
        lengths => scalar_to_pointer($lengths), indices => scalar_to_pointer($indices),
        classes => scalar_to_pointer($classes));
    my $reports = 0;
    my $report = $ffi->closure(sub ($event, $user) {
        my $progress = $ffi->cast('opaque' => 'rnn_progress_t', $event);
        ++$reports;
        printf "update %d: loss %.6f\n", $progress->update, $progress->loss;
        return $progress->loss < 0.05 ? 1 : 0;    # enough: stop
    });
    my $options = sized(
        'rnn_train_options_t', learning_rate => 0.01, clip_norm => 1, epochs => 5000, threads => 1,
        report_every => 100, progress => $ffi->cast('progress_function' => 'opaque', $report));
    check(train($network, $data, $options));
    say "$reports reports";
    return $network;
}

sub complete ($network, $start) {
    my $prompt = pack 'l*', encode($start);
    my $options = sized(
        'rnn_generate_options_t', prompt => scalar_to_pointer($prompt), prompt_count => length $start, greedy => 1,
        stop => 1, stop_index => $index_of{+END_MARK});
    my @drawn = (0) x 64;
    my $count;
    check(reset_state($network));
    check(generate($network, $options, \@drawn, scalar @drawn, \$count));
    print $start, map { $alphabet[$_] } @drawn[0 .. $count - 1];    # with its end
    my @y = (0) x @alphabet;
    check(step_index($network, $index_of{+END_MARK}, \@y));
    print_bits('outputs', @y[0 .. 3]);
}

# A record does not tell where its fields are: it is seen in its bytes.
sub print_layout {
    my %ones = (float => unpack('f', "\x11" x 4), double => unpack('d', "\x11" x 8));
    for my $name (sort keys %structs) {
        say "$name ", $ffi->sizeof("record($name)");
        for (fields($name)) {
            my ($type, $field) = @$_;
            my $size = $ffi->sizeof($type);
            my $record = $name->new($field => $ones{$type} // unpack($size == 8 ? 'Q' : 'L', "\x11" x $size));
            $$record =~ /\x11+/ or die;
            say "$name.$field $-[0] ", $+[0] - $-[0];
        }
    }
}

if ("@ARGV" eq '--layout') {
    print_layout();
    exit;
}
$| = 1;
say 'librnn ', version();
refuse();
step();
my $network = learn();
complete($network, 'good');
check(save($network, 'sentences.safetensors'));
my $loaded = load_network('sentences.safetensors');
complete($loaded, 'good');
destroy($_) for $network, $loaded;
