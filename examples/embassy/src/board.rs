//! A microcontroller as a [`Board`]: what a Cortex-M has by itself, and a modem that never answers.
//!
//! It runs as it is in `qemu-system-arm -M mps2-an386`.

use core::cell::RefCell;
use core::convert::Infallible;
use core::fmt;
use core::task::Waker;

use cortex_m::peripheral::Peripherals;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;
use critical_section::Mutex;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pipe::Pipe;
use embassy_time_driver::{Driver, TICK_HZ, time_driver_impl};
use embassy_time_queue_utils::Queue;
use embedded_io_async::{ErrorType, Read, Write};
use shadow_core::WallTime;

use crate::Board;

#[global_allocator]
static HEAP: emballoc::Allocator<{ 32 * 1024 }> = emballoc::Allocator::new();

/// Cycles of the core each second: those of the MPS2 board.
const CORE_HZ: u32 = 25_000_000;

/// How often each second the clock moves.
const CLOCK_HZ: u32 = 100;

/// A board with nothing but its core.
struct Core;

/// Starts the clock.
pub(crate) fn start() -> impl Board {
    let mut timer = Peripherals::take()
        .expect("this is the first to take them")
        .SYST;
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(CORE_HZ / CLOCK_HZ - 1);
    timer.clear_current();
    timer.enable_counter();
    timer.enable_interrupt();
    Core
}

impl Board for Core {
    type Stream = Modem;
    type Error = Infallible;

    fn server(&self) -> &str {
        "the modem"
    }

    /// Here goes what makes your modem dial. With a network stack instead of one, a connection of
    /// `embassy_net::tcp::client::TcpClient` is a [`Read`] and a [`Write`] as it is.
    async fn connect(&mut self) -> Result<Modem, Infallible> {
        RECEIVED.clear();
        TRANSMITTED.clear();
        Ok(Modem)
    }

    /// Here goes your real time clock, or SNTP, or what the modem says.
    fn wall_time(&self) -> WallTime {
        WallTime::from_unix_millis(1_700_000_000_000)
    }

    /// Here goes your random number generator.
    fn seed(&self) -> u64 {
        4
    }

    /// Here goes `defmt` or a UART.
    fn print(&self, line: fmt::Arguments<'_>) {
        semihosting::println!("{line}");
    }
}

/// What the modem's UART received: its interrupt handler fills it. A stub, as nobody does here.
static RECEIVED: Pipe<CriticalSectionRawMutex, 512> = Pipe::new();

/// What the modem's UART has to transmit: its interrupt handler drains it.
static TRANSMITTED: Pipe<CriticalSectionRawMutex, 512> = Pipe::new();

/// The modem while it has a connection.
struct Modem;

impl ErrorType for Modem {
    type Error = Infallible;
}

impl Read for Modem {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Infallible> {
        Ok(RECEIVED.read(bytes).await)
    }
}

impl Write for Modem {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        Ok(TRANSMITTED.write(bytes).await)
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// embassy-time on SysTick. Most chips have a driver of their own in their `embassy-*` crate.
struct Clock {
    ticks: Mutex<RefCell<u64>>,
    waiting: Mutex<RefCell<Queue>>,
}

time_driver_impl!(static CLOCK: Clock = Clock {
    ticks: Mutex::new(RefCell::new(0)),
    waiting: Mutex::new(RefCell::new(Queue::new())),
});

impl Driver for Clock {
    fn now(&self) -> u64 {
        critical_section::with(|cs| *self.ticks.borrow_ref(cs))
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|cs| self.waiting.borrow_ref_mut(cs).schedule_wake(at, waker));
    }
}

#[exception]
fn SysTick() {
    critical_section::with(|cs| {
        let mut ticks = CLOCK.ticks.borrow_ref_mut(cs);
        *ticks += TICK_HZ / u64::from(CLOCK_HZ);
        CLOCK.waiting.borrow_ref_mut(cs).next_expiration(*ticks);
    });
}
