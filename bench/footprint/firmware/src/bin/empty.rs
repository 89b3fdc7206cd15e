//! Gives back each frame that comes in: all that a program needs beside an engine.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod program {
    use cortex_m_rt::entry;
    use firmware::Console;
    use semihosting::process;

    #[entry]
    fn main() -> ! {
        let Ok(mut console) = Console::open() else {
            process::exit(1);
        };
        while let Ok(frame) = console.read() {
            if console
                .write(frame.kind, frame.micros, &frame.content)
                .is_err()
            {
                break;
            }
        }
        process::exit(0);
    }
}

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("this is a program for a microcontroller");
}
