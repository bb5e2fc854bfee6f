// Generated from include/rnn/rnn.json by generate.

//! Groups of constants of `rnn.h`, which says what each means.

use crate::sys::*;

macro_rules! enums {
    ($($(#[$meta:meta])* $name:ident: $repr:ident {
        $($(#[$about:meta])* $variant:ident = $constant:ident,)*
    })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr($repr)]
        pub enum $name {
            $($(#[$about])* $variant = $constant as $repr,)*
        }

        impl $name {
            /// The constant of that value; `None` for one that this version of the crate does not know.
            pub fn from_raw(value: $repr) -> Option<Self> {
                match value {
                    $(value if value == $constant as $repr => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    )*};
}

enums! {
    /// What a recurrent layer computes: `RNN_CELL_...` of `rnn.h`.
    Cell: i32 {
        /// `RNN_CELL_VANILLA`
        Vanilla = RNN_CELL_VANILLA,
        /// `RNN_CELL_GRU`
        Gru = RNN_CELL_GRU,
        /// `RNN_CELL_LSTM`
        Lstm = RNN_CELL_LSTM,
        /// `RNN_CELL_MIN_GRU`
        MinGru = RNN_CELL_MIN_GRU,
        /// `RNN_CELL_MIN_LSTM`
        MinLstm = RNN_CELL_MIN_LSTM,
    }

    /// How matrices are initialised: `RNN_INIT_...` of `rnn.h`.
    Init: i32 {
        /// `RNN_INIT_PYTORCH`
        Pytorch = RNN_INIT_PYTORCH,
        /// `RNN_INIT_XAVIER_UNIFORM`
        XavierUniform = RNN_INIT_XAVIER_UNIFORM,
        /// `RNN_INIT_XAVIER_NORMAL`
        XavierNormal = RNN_INIT_XAVIER_NORMAL,
        /// `RNN_INIT_KAIMING_UNIFORM`
        KaimingUniform = RNN_INIT_KAIMING_UNIFORM,
        /// `RNN_INIT_KAIMING_NORMAL`
        KaimingNormal = RNN_INIT_KAIMING_NORMAL,
        /// `RNN_INIT_UNIFORM`
        Uniform = RNN_INIT_UNIFORM,
        /// `RNN_INIT_ORTHOGONAL`
        Orthogonal = RNN_INIT_ORTHOGONAL,
        /// `RNN_INIT_IDENTITY`
        Identity = RNN_INIT_IDENTITY,
    }

    /// What a sequence starts from: `RNN_INITIAL_...` of `rnn.h`.
    InitialState: i32 {
        /// `RNN_INITIAL_ZERO`
        Zero = RNN_INITIAL_ZERO,
        /// `RNN_INITIAL_FIXED`
        Fixed = RNN_INITIAL_FIXED,
        /// `RNN_INITIAL_TRAINED`
        Trained = RNN_INITIAL_TRAINED,
    }

    /// What the matrix products of a network compute with: `RNN_COMPUTE_...` of `rnn.h`.
    Compute: i32 {
        /// `RNN_COMPUTE_F32`
        F32 = RNN_COMPUTE_F32,
        /// `RNN_COMPUTE_BF16`
        Bf16 = RNN_COMPUTE_BF16,
        /// `RNN_COMPUTE_INT8`
        Int8 = RNN_COMPUTE_INT8,
        /// `RNN_COMPUTE_BF16_FAST`
        Bf16Fast = RNN_COMPUTE_BF16_FAST,
    }

    /// Variants of cells and of networks: `RNN_FLAG_...` of `rnn.h`.
    Flag: u32 {
        /// `RNN_FLAG_NO_BIAS`
        NoBias = RNN_FLAG_NO_BIAS,
        /// `RNN_FLAG_RELU`
        Relu = RNN_FLAG_RELU,
        /// `RNN_FLAG_RESET_BEFORE`
        ResetBefore = RNN_FLAG_RESET_BEFORE,
        /// `RNN_FLAG_BIDIRECTIONAL`
        Bidirectional = RNN_FLAG_BIDIRECTIONAL,
        /// `RNN_FLAG_RESIDUAL`
        Residual = RNN_FLAG_RESIDUAL,
        /// `RNN_FLAG_LAYER_NORM`
        LayerNorm = RNN_FLAG_LAYER_NORM,
        /// `RNN_FLAG_TIED_HEAD`
        TiedHead = RNN_FLAG_TIED_HEAD,
        /// `RNN_FLAG_PEEPHOLES`
        Peepholes = RNN_FLAG_PEEPHOLES,
        /// `RNN_FLAG_COUPLED_GATES`
        CoupledGates = RNN_FLAG_COUPLED_GATES,
    }

    /// Activation functions: `RNN_ACTIVATION_...` of `rnn.h`.
    Activation: i32 {
        /// `RNN_ACTIVATION_NONE`
        None = RNN_ACTIVATION_NONE,
        /// `RNN_ACTIVATION_TANH`
        Tanh = RNN_ACTIVATION_TANH,
        /// `RNN_ACTIVATION_RELU`
        Relu = RNN_ACTIVATION_RELU,
        /// `RNN_ACTIVATION_SIGMOID`
        Sigmoid = RNN_ACTIVATION_SIGMOID,
        /// `RNN_ACTIVATION_SOFTMAX`
        Softmax = RNN_ACTIVATION_SOFTMAX,
        /// `RNN_ACTIVATION_ELU`
        Elu = RNN_ACTIVATION_ELU,
        /// `RNN_ACTIVATION_LEAKY_RELU`
        LeakyRelu = RNN_ACTIVATION_LEAKY_RELU,
        /// `RNN_ACTIVATION_PRELU`
        Prelu = RNN_ACTIVATION_PRELU,
        /// `RNN_ACTIVATION_SOFTSIGN`
        Softsign = RNN_ACTIVATION_SOFTSIGN,
        /// `RNN_ACTIVATION_GELU`
        Gelu = RNN_ACTIVATION_GELU,
        /// `RNN_ACTIVATION_SWISH`
        Swish = RNN_ACTIVATION_SWISH,
        /// `RNN_ACTIVATION_HARD_SIGMOID`
        HardSigmoid = RNN_ACTIVATION_HARD_SIGMOID,
        /// `RNN_ACTIVATION_SOFTPLUS`
        Softplus = RNN_ACTIVATION_SOFTPLUS,
        /// `RNN_ACTIVATION_AFFINE`
        Affine = RNN_ACTIVATION_AFFINE,
        /// `RNN_ACTIVATION_SCALED_TANH`
        ScaledTanh = RNN_ACTIVATION_SCALED_TANH,
        /// `RNN_ACTIVATION_THRESHOLDED_RELU`
        ThresholdedRelu = RNN_ACTIVATION_THRESHOLDED_RELU,
    }

    /// Directions in which a layer reads a sequence: `RNN_DIRECTION_...` of `rnn.h`.
    Direction: i32 {
        /// `RNN_DIRECTION_FORWARD`
        Forward = RNN_DIRECTION_FORWARD,
        /// `RNN_DIRECTION_REVERSE`
        Reverse = RNN_DIRECTION_REVERSE,
        /// `RNN_DIRECTION_BOTH`
        Both = RNN_DIRECTION_BOTH,
        /// `RNN_DIRECTION_SUM`
        Sum = RNN_DIRECTION_SUM,
    }

    /// What becomes the output of a whole sequence: `RNN_POOLING_...` of `rnn.h`.
    Pooling: i32 {
        /// `RNN_POOLING_NONE`
        None = RNN_POOLING_NONE,
        /// `RNN_POOLING_LAST`
        Last = RNN_POOLING_LAST,
        /// `RNN_POOLING_MEAN`
        Mean = RNN_POOLING_MEAN,
        /// `RNN_POOLING_MAX`
        Max = RNN_POOLING_MAX,
    }

    /// Losses, each a mean over the target steps: `RNN_LOSS_...` of `rnn.h`.
    Loss: i32 {
        /// `RNN_LOSS_CROSS_ENTROPY`
        CrossEntropy = RNN_LOSS_CROSS_ENTROPY,
        /// `RNN_LOSS_SQUARED_ERROR`
        SquaredError = RNN_LOSS_SQUARED_ERROR,
        /// `RNN_LOSS_BINARY_CROSS_ENTROPY`
        BinaryCrossEntropy = RNN_LOSS_BINARY_CROSS_ENTROPY,
    }

    /// Optimisers: `RNN_OPTIMIZER_...` of `rnn.h`.
    Optimizer: i32 {
        /// `RNN_OPTIMIZER_ADAM`
        Adam = RNN_OPTIMIZER_ADAM,
        /// `RNN_OPTIMIZER_ADAMW`
        Adamw = RNN_OPTIMIZER_ADAMW,
        /// `RNN_OPTIMIZER_SGD`
        Sgd = RNN_OPTIMIZER_SGD,
        /// `RNN_OPTIMIZER_ADAGRAD`
        Adagrad = RNN_OPTIMIZER_ADAGRAD,
        /// `RNN_OPTIMIZER_RMSPROP`
        Rmsprop = RNN_OPTIMIZER_RMSPROP,
    }

    /// Schedules of the learning rate: `RNN_SCHEDULE_...` of `rnn.h`.
    Schedule: i32 {
        /// `RNN_SCHEDULE_CONSTANT`
        Constant = RNN_SCHEDULE_CONSTANT,
        /// `RNN_SCHEDULE_STEP`
        Step = RNN_SCHEDULE_STEP,
        /// `RNN_SCHEDULE_EXPONENTIAL`
        Exponential = RNN_SCHEDULE_EXPONENTIAL,
        /// `RNN_SCHEDULE_COSINE`
        Cosine = RNN_SCHEDULE_COSINE,
    }

    /// What a report of progress is about: `RNN_EVENT_...` of `rnn.h`.
    Event: i32 {
        /// `RNN_EVENT_UPDATE`
        Update = RNN_EVENT_UPDATE,
        /// `RNN_EVENT_VALIDATION`
        Validation = RNN_EVENT_VALIDATION,
    }

    /// File formats: `RNN_FORMAT_...` of `rnn.h`.
    Format: i32 {
        /// `RNN_FORMAT_SAFETENSORS`
        Safetensors = RNN_FORMAT_SAFETENSORS,
        /// `RNN_FORMAT_ONNX`
        Onnx = RNN_FORMAT_ONNX,
        /// `RNN_FORMAT_BINARY`
        Binary = RNN_FORMAT_BINARY,
        /// `RNN_FORMAT_C`
        C = RNN_FORMAT_C,
    }
}
