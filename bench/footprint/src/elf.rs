//! The sizes of a program's sections.

use std::error::Error;

use object::{File, Object as _, ObjectSection as _, ObjectSymbol as _};

/// What a program takes, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sections {
    /// Instructions, and the constants that stand between them.
    pub(crate) text: f64,
    /// Constants: texts and tables.
    pub(crate) rodata: f64,
    /// The addresses of the interrupts' handlers.
    pub(crate) vectors: f64,
    /// Variables with a first value, which takes as much of the flash as of the RAM.
    pub(crate) data: f64,
    /// Variables that begin as zero, without the heap.
    pub(crate) bss: f64,
    /// The room of the heap.
    pub(crate) heap: f64,
}

impl Sections {
    /// Those of a linked program.
    pub(crate) fn read(program: &[u8]) -> Result<Sections, Box<dyn Error>> {
        let file = File::parse(program)?;
        let size = |name| (file.section_by_name(name)).map_or(0.0, |section| section.size() as f64);
        let heap = file
            .symbols()
            .filter(|symbol| symbol.name().is_ok_and(|name| name.contains("ALLOCATOR")))
            .map(|symbol| symbol.size())
            .max();
        let heap = heap.ok_or("the program has no heap")? as f64;
        Ok(Sections {
            text: size(".text"),
            rodata: size(".rodata"),
            vectors: size(".vector_table"),
            data: size(".data"),
            bss: size(".bss") + size(".uninit") - heap,
            heap,
        })
    }

    /// All but the heap, each with its name.
    pub(crate) fn named(&self) -> [(&'static str, f64); 5] {
        [
            (".text", self.text),
            (".rodata", self.rodata),
            (".vector_table", self.vectors),
            (".data", self.data),
            (".bss", self.bss),
        ]
    }
}
