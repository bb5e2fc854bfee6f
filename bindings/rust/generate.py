#!/usr/bin/env python3
"""Write the crate's low level, src/sys.rs and src/enums.rs, from include/rnn/rnn.json.

    bindings/rust/generate.py            writes them; run this after scripts/describe_abi
    bindings/rust/generate.py --check    says whether they are what they have to be
"""

import json
import pathlib
import re
import sys
import textwrap

CRATE = pathlib.Path(__file__).resolve().parent
DESCRIPTION = CRATE.parent.parent / "include/rnn/rnn.json"
WIDTH = 100
NOTE = "// Generated from include/rnn/rnn.json by generate.py.\n"

SCALARS = {"int": "c_int", "int32_t": "i32", "uint32_t": "u32", "uint64_t": "u64", "uint8_t": "u8", "size_t": "usize",
           "unsigned long": "usize", "float": "f32", "double": "f64", "char": "c_char", "void": "c_void"}

KEYWORDS = {"as", "box", "const", "fn", "in", "loop", "match", "mod", "move", "mut", "ref", "type", "use", "where"}

# Groups of constants that the safe layer has as enums: prefix, name, type, what they are.
ENUMS = [
    ("CELL", "Cell", "i32", "What a recurrent layer computes"),
    ("INIT", "Init", "i32", "How matrices are initialised"),
    ("INITIAL", "InitialState", "i32", "What a sequence starts from"),
    ("COMPUTE", "Compute", "i32", "What the matrix products of a network compute with"),
    ("FLAG", "Flag", "u32", "Variants of cells and of networks"),
    ("ACTIVATION", "Activation", "i32", "Activation functions"),
    ("DIRECTION", "Direction", "i32", "Directions in which a layer reads a sequence"),
    ("POOLING", "Pooling", "i32", "What becomes the output of a whole sequence"),
    ("LOSS", "Loss", "i32", "Losses, each a mean over the target steps"),
    ("OPTIMIZER", "Optimizer", "i32", "Optimisers"),
    ("SCHEDULE", "Schedule", "i32", "Schedules of the learning rate"),
    ("EVENT", "Event", "i32", "What a report of progress is about"),
    ("FORMAT", "Format", "i32", "File formats"),
]

ENUM_MACRO = """\
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
"""


def identifier(name):
    return f"r#{name}" if name in KEYWORDS else name


class Writer:
    def __init__(self, description):
        self.description = description
        self.structs = {"struct " + name.removesuffix("_t"): name for name in description["structs"]}
        # What stands for itself in Rust: structs, handles and pointers to functions.
        self.named = {*description["structs"], *description["handles"], *description["callbacks"]}

    def type(self, text, function=None):
        """A C type in Rust; `function` says what a pointer to a function takes and returns."""
        if function and "parameters" in function:
            return f"Option<{self.pointer(function)}>"
        text = text.strip()
        if text.endswith("*"):
            return f"*{'const' if re.match('const ', text) and text.count('*') == 1 else 'mut'} {self.pointee(text[:-1])}"
        if text in self.description["callbacks"]:
            return f"Option<{text}>"
        return self.plain(text)

    def pointee(self, text):
        text = text.strip()
        if text.endswith("*const"):  # const applies to the pointer that is pointed to
            return self.type(text.removesuffix("const"))
        if text.endswith("*"):
            return self.type(text)
        return self.plain(text.removeprefix("const "))

    def plain(self, text):
        text = self.structs.get(text, text)
        if text in self.named or text in self.description["types"]:
            return text
        return SCALARS[text]

    def pointer(self, function):
        return f'unsafe extern "C" fn{self.signature(function)}'

    def parameters(self, function):
        return [f"{identifier(p['name'])}: {self.parameter(p['type'])}" for p in function["parameters"]]

    def parameter(self, text):
        if text.endswith("*const *"):  # an array of pointers, which is not written
            return f"*const {self.type(text.removesuffix('const *'))}"
        return self.type(text)

    def result(self, function):
        returns = function["returns"]
        return "" if returns == "void" else f" -> {self.type(returns)}"

    def signature(self, function):
        return f"({', '.join(self.parameters(function))}){self.result(function)}"

    def function(self, name, function):
        line = f"    pub fn {name}{self.signature(function)};\n"
        if len(line) <= WIDTH + 1:
            return line
        parameters = "".join(f"        {p},\n" for p in self.parameters(function))
        return f"    pub fn {name}(\n{parameters}    ){self.result(function)};\n"

    def field(self, field):
        line = f"    pub {identifier(field['name'])}: {self.type(field['type'], field)},\n"
        if len(line) <= WIDTH + 1:
            return line
        parameters = "".join(f"            {p},\n" for p in self.parameters(field))
        return (f"    pub {identifier(field['name'])}: Option<\n        unsafe extern \"C\" fn(\n{parameters}"
                f"        ){self.result(field)},\n    >,\n")

    def sys(self):
        d = self.description
        parts = [NOTE, "//! The C ABI as it is: structs, constants and functions of `rnn.h`, which says what they mean.\n",
                 "#![allow(non_camel_case_types, missing_docs)]\n",
                 "use std::marker::{PhantomData, PhantomPinned};\nuse std::mem;\n"
                 "use std::os::raw::{c_char, c_int, c_void};\n"]
        parts += ["".join(f"pub type {name} = {self.plain(of)};\n" for name, of in d["types"].items())]
        parts += [f"#[repr(C)]\n#[derive(Debug)]\npub struct {name} {{\n    _private: [u8; 0],\n"
                  "    _thread: PhantomData<(*mut u8, PhantomPinned)>,\n}\n" for name in d["handles"]]
        parts += ["".join(f"pub const {name}: i32 = {value};\n" for name, value in d["constants"].items())]
        parts += [f"pub type {name} =\n    {self.pointer(callback)};\n" for name, callback in d["callbacks"].items()]
        for name, struct in d["structs"].items():
            fields = "".join(map(self.field, struct["fields"]))
            parts.append(f"#[repr(C)]\n#[derive(Clone, Copy, Debug)]\npub struct {name} {{\n{fields}}}\n")
        names = ["    " + name for name in d["structs"]]
        parts.append("/// Structs begin with their size; what else is zero means its default.\n"
                     "macro_rules! sized {\n    ($($name:ident,)*) => {$(\n        impl Default for $name {\n"
                     "            fn default() -> Self {\n"
                     "                // Safety: numbers, raw pointers and optional functions may all be zero.\n"
                     "                $name { struct_size: mem::size_of::<Self>(), ..unsafe { mem::zeroed() } }\n"
                     "            }\n        }\n    )*};\n}\n")
        parts.append("sized! {\n" + ",\n".join(names) + ",\n}\n")
        parts.append('extern "C" {\n' + "".join(self.function(*item) for item in d["functions"].items()) + "}\n")
        parts.append(self.layout())
        return "\n".join(parts)

    def layout(self):
        """A test of sizes and offsets, which are those of systems with pointers of 64 bits."""
        lines = []
        for name, struct in self.description["structs"].items():
            fields = ", ".join(f"{identifier(f['name'])}: {f['offset']} {f['size']}" for f in struct["fields"])
            rows = "\n".join(textwrap.wrap(fields, WIDTH, initial_indent=" " * 16, subsequent_indent=" " * 16))
            lines.append(f"            {name}, {struct['size']}, {struct['alignment']}: {{\n{rows}\n            }}\n")
        return ('#[cfg(all(test, target_pointer_width = "64"))]\nmod tests {\n    use super::*;\n\n'
                "    fn size_of_pointee<T>(_: *const T) -> usize {\n        mem::size_of::<T>()\n    }\n\n"
                "    macro_rules! check {\n"
                "        ($($name:ident, $size:literal, $alignment:literal:\n"
                "           { $($field:ident: $offset:literal $bytes:literal),* })*) => {$(\n"
                "            let value = $name::default();\n"
                "            assert_eq!(mem::size_of::<$name>(), $size, stringify!($name));\n"
                "            assert_eq!(mem::align_of::<$name>(), $alignment, stringify!($name));\n"
                "            assert_eq!(value.struct_size, $size, stringify!($name));\n"
                "            $(\n"
                "                let field = std::ptr::addr_of!(value.$field);\n"
                "                let offset = field as usize - std::ptr::addr_of!(value) as usize;\n"
                "                let place = (offset, size_of_pointee(field));\n"
                '                assert_eq!(place, ($offset, $bytes), "{}.{}", stringify!($name), stringify!($field));\n'
                "            )*\n        )*};\n    }\n\n"
                "    #[test]\n    fn layout_is_that_of_the_description() {\n        check! {\n"
                + "".join(lines) + "        }\n    }\n}\n")

    def enums(self):
        parts = [NOTE, "//! Groups of constants of `rnn.h`, which says what each means.\n", "use crate::sys::*;\n",
                 ENUM_MACRO]
        body = []
        for prefix, name, kind, about in ENUMS:
            start = f"RNN_{prefix}_"
            values = [c for c in self.description["constants"] if c.startswith(start)]
            variants = "".join(f"        /// `{c}`\n        {variant(c.removeprefix(start))} = {c},\n" for c in values)
            body.append(f"    /// {about}: `{start}...` of `rnn.h`.\n    {name}: {kind} {{\n{variants}    }}\n")
        parts.append("enums! {\n" + "\n".join(body) + "}\n")
        return "\n".join(parts)


def variant(constant):
    return "".join(word.capitalize() for word in constant.split("_"))


def main():
    writer = Writer(json.loads(DESCRIPTION.read_text()))
    files = {CRATE / "src/sys.rs": writer.sys(), CRATE / "src/enums.rs": writer.enums()}
    if sys.argv[1:] == ["--check"]:
        for path, text in files.items():
            if not path.exists() or path.read_text() != text:
                sys.exit(f"{path.name} is not what {DESCRIPTION.name} says: run bindings/rust/generate.py")
    elif sys.argv[1:]:
        sys.exit(__doc__.strip())
    else:
        for path, text in files.items():
            path.write_text(text)


main()
