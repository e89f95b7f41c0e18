//! A stream on which everything is compressed: RFC 4978, on top of TLS.
//!
//! ```text
//!  core ─► driver ─► deflate ─► TLS ─► socket     flushed where the driver flushes: once a flight
//!  core ◄─ driver ◄─ inflate ◄─ TLS ◄─ socket     as much at a time as the core has room for
//! ```
//!
//! What comes is inflated only as it is asked for, so that a small stream that grows without end
//! meets the limits of the core like any other. Before that it meets
//! [`Limits::inflated`](crate::Limits::inflated): who sends little shall not cost much.
//!
//! Where the connection passes to another user, compression ends (RFC 8437 section 4.1), and what
//! comes next is as it is. Where that begins only the mark says that each flush ends in, so it is
//! looked for from the command on to which the answer is the last that is compressed.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Stream;
use crate::fault::Fault;

/// How far a compressed stream may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Growth {
    /// Octets in any case.
    pub(crate) octets: u64,
    /// And so many for each octet received.
    pub(crate) ratio: u32,
}

/// A stream whose both directions are compressed by DEFLATE.
pub(crate) struct Deflated {
    stream: Box<dyn Stream>,
    deflate: Compress,
    /// Compressed and not yet taken by the stream.
    outgoing: BytesMut,
    /// Something was compressed since the last flush.
    unflushed: bool,
    inflate: Decompress,
    /// Received and not yet inflated.
    incoming: BytesMut,
    /// The peer has ended its compressed stream.
    ended: bool,
    growth: Growth,
    end: End,
    /// The last octets that were inflated.
    last: u32,
}

/// How far the compression is from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Far,
    /// It may be behind any mark: nothing behind one is inflated before what stands before it was
    /// read.
    Near,
    /// Nothing is compressed any longer. Of what comes, the rest up to the mark still is.
    Here,
}

impl Deflated {
    /// Received at once.
    const CHUNK: usize = 16 * 1024;
    /// The compressor gives so much at a time.
    const ROOM: usize = 4096;
    /// Beyond this nothing is taken until the stream has taken some.
    const MOST_OUTGOING: usize = 64 * 1024;

    /// `received`: what has come behind the answer that switched compression on.
    pub(crate) fn new(stream: Box<dyn Stream>, received: &Bytes, growth: Growth) -> Self {
        // Without the header of zlib: RFC 4978 section 4.
        const ZLIB: bool = false;
        Self {
            stream,
            deflate: Compress::new(Compression::default(), ZLIB),
            outgoing: BytesMut::new(),
            unflushed: false,
            inflate: Decompress::new(ZLIB),
            incoming: BytesMut::from(&received[..]),
            ended: false,
            growth,
            end: End::Far,
            last: 0,
        }
    }

    /// The stream below begins to be compressed anew.
    pub(crate) fn again(self, received: &Bytes, growth: Growth) -> Self {
        if !self.is_over() {
            return Self::new(Box::new(self), received, growth);
        }
        let received = [&received[..], &self.incoming].concat();
        Self::new(self.stream, &received.into(), growth)
    }

    /// The peer may end its compression behind any of what it says next.
    pub(crate) const fn may_end(&mut self) {
        self.end = End::Near;
    }

    /// Neither side compresses any longer, behind what was read so far.
    pub(crate) const fn end_here(&mut self) {
        self.end = End::Here;
    }

    /// What each flush ends in.
    const MARK: u32 = 0x0000_ffff;

    /// Whether all that is still to come is as it is.
    fn is_over(&self) -> bool {
        // Some end their stream by its own means behind the mark. No line begins like that.
        let goes_on = matches!(self.incoming.first(), Some(0..=8));
        self.end == End::Here && (self.ended || self.last == Self::MARK && !goes_on)
    }

    /// Hands on octets as they are.
    fn pass(&mut self, into: &mut ReadBuf<'_>) -> usize {
        let octets = self.incoming.len().min(into.remaining());
        into.put_slice(&self.incoming.split_to(octets));
        self.ended |= octets > 0;
        octets
    }

    /// Compresses `octets`, and takes over all that the compressor gives of itself.
    fn compress(&mut self, mut octets: &[u8]) -> io::Result<()> {
        loop {
            let (taken, given) = self.step(octets, FlushCompress::None)?;
            octets.advance(taken);
            if octets.is_empty() && given == 0 {
                return Ok(());
            }
        }
    }

    /// Sees to it that the peer can read all that was compressed.
    ///
    /// A compressor that has more to give than there is room for may have come to the end of a block
    /// first, and then forgets the flush. So it is asked again until there was room to spare, with
    /// nothing held back. It takes two rounds, or three, since nothing is added meanwhile.
    fn mark(&mut self) -> io::Result<()> {
        loop {
            let (_, given) = self.step(&[], FlushCompress::Sync)?;
            if given < Self::ROOM {
                return Ok(());
            }
            self.compress(&[])?;
        }
    }

    /// How many octets the compressor took, and how many it gave.
    fn step(&mut self, octets: &[u8], flush: FlushCompress) -> io::Result<(usize, usize)> {
        let mut room = [0; Self::ROOM];
        let (taken, given) = (self.deflate.total_in(), self.deflate.total_out());
        self.deflate.compress(octets, &mut room, flush).map_err(io::Error::other)?;
        let taken = (self.deflate.total_in() - taken) as usize;
        let given = (self.deflate.total_out() - given) as usize;
        self.outgoing.extend_from_slice(room.get(..given).unwrap_or_default());
        Ok((taken, given))
    }

    /// Hands the stream what is compressed.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.outgoing))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                octets => self.outgoing.advance(octets),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Inflates what has been received into `room`; how many octets that gave.
    fn inflate(&mut self, room: &mut [u8]) -> Result<usize, Fault> {
        if self.end == End::Far {
            return self.inflate_some(self.incoming.len(), room);
        }
        if self.last == Self::MARK {
            // What stands before the mark may still be in the inflater.
            let given = self.inflate_some(0, room)?;
            if given > 0 {
                return Ok(given);
            }
        }
        let mut last = self.last;
        let is_mark = |octet: &u8| {
            last = last << 8 | u32::from(*octet);
            last == Self::MARK
        };
        let mark = self.incoming.iter().position(is_mark);
        self.inflate_some(mark.map_or(self.incoming.len(), |at| at + 1), room)
    }

    /// The same of the first `octets` of it.
    fn inflate_some(&mut self, octets: usize, room: &mut [u8]) -> Result<usize, Fault> {
        let (taken, given) = (self.inflate.total_in(), self.inflate.total_out());
        let some = self.incoming.get(..octets).unwrap_or_default();
        let status = self.inflate.decompress(some, room, FlushDecompress::None);
        let received = self.inflate.total_in();
        let (taken, given) = (received - taken, self.inflate.total_out() - given);
        let inflated = self.incoming.split_to(taken as usize);
        let newest = inflated.get(inflated.len().saturating_sub(4)..).unwrap_or_default();
        self.last = newest.iter().fold(self.last, |last, octet| last << 8 | u32::from(*octet));
        match status {
            Ok(Status::StreamEnd) => self.ended = true,
            Ok(Status::Ok | Status::BufError) if taken + given > 0 || octets == 0 => {}
            _ => return Err(Fault::DamagedDeflate),
        }
        // Behind the end nothing could be told from what an attacker adds.
        if self.ended && !self.incoming.is_empty() && self.end == End::Far {
            return Err(Fault::DamagedDeflate);
        }
        let Growth { octets, ratio } = self.growth;
        let limit = received.saturating_mul(ratio.into()).saturating_add(octets);
        match self.inflate.total_out() > limit {
            true => Err(Fault::InflatedTooFar { received, limit }),
            false => Ok(given as usize),
        }
    }
}

impl AsyncRead for Deflated {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let over = this.is_over();
            if this.ended && !over || into.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            let given = match over {
                true => this.pass(into),
                false => {
                    let room = into.initialize_unfilled_to(into.remaining().min(Self::CHUNK));
                    let given = this.inflate(room).map_err(io::Error::other)?;
                    into.advance(given);
                    given
                }
            };
            if given > 0 {
                return Poll::Ready(Ok(()));
            }
            if !this.incoming.is_empty() {
                continue;
            }
            // Nothing more can be had from what was received.
            this.incoming.resize(Self::CHUNK, 0);
            let mut received = ReadBuf::new(&mut this.incoming);
            let read = Pin::new(&mut this.stream).poll_read(cx, &mut received);
            let octets = received.filled().len();
            this.incoming.truncate(octets);
            ready!(read)?;
            if octets == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Deflated {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.end == End::Here {
            ready!(this.poll_drain(cx))?;
            return Pin::new(&mut this.stream).poll_write(cx, octets);
        }
        if this.outgoing.len() >= Self::MOST_OUTGOING {
            ready!(this.poll_drain(cx))?;
        }
        let octets = octets.get(..Self::CHUNK).unwrap_or(octets);
        this.compress(octets)?;
        this.unflushed |= !octets.is_empty();
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if std::mem::take(&mut this.unflushed) {
            this.mark()?;
        }
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    const GROWTH: Growth = Growth { octets: 1024 * 1024, ratio: 100 };

    fn pair(pipe: usize) -> (Deflated, Deflated) {
        let (near, far) = duplex(pipe);
        (over(near, &[]), over(far, &[]))
    }

    fn over(stream: DuplexStream, received: &'static [u8]) -> Deflated {
        Deflated::new(Box::new(stream), &Bytes::from_static(received), GROWTH)
    }

    /// What the peer makes of these octets, sent at once.
    async fn read(octets: &[u8], growth: Growth) -> io::Result<u64> {
        let (near, mut far) = duplex(octets.len().max(1));
        far.write_all(octets).await.unwrap();
        drop(far);
        let mut near = Deflated::new(Box::new(near), &Bytes::new(), growth);
        tokio::io::copy(&mut near, &mut tokio::io::sink()).await
    }

    fn deflated(octets: &[u8], flush: FlushCompress) -> Vec<u8> {
        let mut sink = over(duplex(1).0, &[]);
        sink.compress(octets).unwrap();
        match flush {
            FlushCompress::Finish => while sink.step(&[], flush).unwrap().1 > 0 {},
            _ => sink.mark().unwrap(),
        }
        sink.outgoing.to_vec()
    }

    fn fault(error: &io::Error) -> &Fault {
        error.get_ref().unwrap().downcast_ref().unwrap()
    }

    #[tokio::test]
    async fn what_was_flushed_can_be_read_whatever_the_pipe_holds() {
        for pipe in [1, 7, 4096] {
            let (mut near, mut far) = pair(pipe);
            let writer = tokio::spawn(async move {
                for round in 0..3_u32 {
                    let line = format!("A{round} NOOP\r\n").repeat(5000);
                    near.write_all(line.as_bytes()).await.unwrap();
                    near.flush().await.unwrap();
                }
            });
            for round in 0..3_u32 {
                let wanted = format!("A{round} NOOP\r\n").repeat(5000);
                let mut got = vec![0; wanted.len()];
                far.read_exact(&mut got).await.unwrap();
                assert_eq!(String::from_utf8(got).unwrap(), wanted);
            }
            assert_eq!(far.read(&mut [0; 16]).await.unwrap(), 0);
            writer.await.unwrap();
        }
    }

    #[tokio::test]
    async fn octets_without_any_pattern_survive() {
        let mut state = 1_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let octets: Vec<u8> = (0..300_000).map(|_| random()).collect();
        let (mut near, mut far) = pair(1000);
        let sent = octets.clone();
        tokio::spawn(async move {
            near.write_all(&sent).await.unwrap();
            near.shutdown().await.unwrap();
        });
        let mut got = Vec::new();
        far.read_to_end(&mut got).await.unwrap();
        assert!(got == octets);
    }

    #[tokio::test]
    async fn one_flush_is_one_mark_however_often_it_is_polled() {
        let (mut near, mut far) = duplex(4096);
        let mut stream = Deflated::new(Box::new(near), &Bytes::new(), GROWTH);
        stream.write_all(b"A1 NOOP\r\n").await.unwrap();
        for _ in 0..3 {
            stream.flush().await.unwrap();
        }
        near = duplex(1).0;
        drop((near, stream));
        let mut wire = Vec::new();
        far.read_to_end(&mut wire).await.unwrap();
        assert_eq!(memchr::memmem::find_iter(&wire, b"\0\0\xff\xff").count(), 1, "{wire:?}");
    }

    /// Octets without any pattern, drawn from those of `letters`.
    fn noise(octets: usize, letters: &[u8]) -> Vec<u8> {
        let mut state = 1_u32;
        let mut letter = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            letters[(state >> 16) as usize % letters.len()]
        };
        (0..octets).map(|_| letter()).collect()
    }

    #[test]
    fn what_fills_a_block_of_the_compressor_is_whole_once_flushed() {
        const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let any: Vec<u8> = (0..=255).collect();
        // It ends a block of itself somewhere behind 31 * 1024 octets that cannot be compressed.
        let lengths = (31_745..=32_010).chain((62_000..66_000).step_by(997)).chain([4096, 300_000]);
        for (octets, rounds) in lengths.zip([1, 1, 1, 1, 1, 1, 3].into_iter().cycle()) {
            for letters in [&any[..], BASE64] {
                let (mut near, mut far) = (over(duplex(1).0, &[]), over(duplex(1).0, &[]));
                for round in 0..rounds {
                    let sent = noise(octets + round, letters);
                    near.compress(&sent).unwrap();
                    near.mark().unwrap();
                    far.incoming.unsplit(near.outgoing.split());
                    let mut got = vec![0; sent.len()];
                    let mut read = 0;
                    while let Ok(given) = far.inflate(&mut got[read..])
                        && given > 0
                    {
                        read += given;
                    }
                    assert!(got == sent, "{read} of {} octets, round {round}", sent.len());
                }
            }
        }
    }

    #[tokio::test]
    async fn what_came_with_the_answer_is_read_first() {
        let early = deflated(b"* 3 EXISTS\r\n", FlushCompress::Sync);
        let (near, far) = duplex(64);
        drop(far);
        let mut near = Deflated::new(Box::new(near), &Bytes::from(early), GROWTH);
        let mut got = String::new();
        near.read_to_string(&mut got).await.unwrap();
        assert_eq!(got, "* 3 EXISTS\r\n");
    }

    #[tokio::test]
    async fn a_stream_cut_anywhere_ends_and_gives_no_octet_that_was_not_sent() {
        let text: Vec<u8> =
            (0..2000_u32).flat_map(|n| format!("* {n} FETCH ()\r\n").into_bytes()).collect();
        let whole = deflated(&text, FlushCompress::Finish);
        for cut in 0..whole.len() {
            let (near, mut far) = duplex(whole.len());
            far.write_all(&whole[..cut]).await.unwrap();
            drop(far);
            let mut got = Vec::new();
            over(near, &[]).read_to_end(&mut got).await.unwrap();
            assert!(text.starts_with(&got), "cut at {cut}");
        }
        assert_eq!(read(&whole, GROWTH).await.unwrap(), text.len() as u64);
    }

    #[tokio::test]
    async fn what_is_no_deflate_stream_and_what_follows_its_end_is_a_fault() {
        let mut behind = deflated(b"* BYE\r\n", FlushCompress::Finish);
        behind.extend_from_slice(b"* 1 EXISTS\r\n");
        for octets in [&b"\xff\xff\xff\xff"[..], b"\0\x01\0\0\0x", &behind] {
            let error = read(octets, GROWTH).await.unwrap_err();
            assert_eq!(fault(&error), &Fault::DamagedDeflate);
        }
    }

    #[tokio::test]
    async fn compression_that_ends_ends_where_the_peer_says_wherever_the_stream_is_cut() {
        const LAST: &[u8] = b"A1 OK the last\r\n";
        const NEXT: &[u8] = b"* OK as it is\r\n";
        let marked = deflated(LAST, FlushCompress::Sync);
        let ended = deflated(LAST, FlushCompress::Finish);
        let both = [&marked[..], b"\x03\0"].concat();
        let twice = [&marked[..], b"\0\0\0\xff\xff"].concat();
        for wire in [marked, ended, both, twice] {
            let wire = [&wire[..], NEXT].concat();
            for cut in 1..wire.len() {
                let (near, mut far) = duplex(1024);
                let mut near = over(near, &[]);
                near.may_end();
                far.write_all(&wire[..cut]).await.unwrap();
                let reader = tokio::spawn(async move {
                    let mut last = vec![0; LAST.len()];
                    near.read_exact(&mut last).await.unwrap();
                    assert_eq!(last, LAST, "{cut}");
                    near.end_here();
                    near.write_all(NEXT).await.unwrap();
                    near.flush().await.unwrap();
                    let mut next = Vec::new();
                    near.read_to_end(&mut next).await.unwrap();
                    assert_eq!(next, NEXT, "{cut}");
                });
                tokio::task::yield_now().await;
                far.write_all(&wire[cut..]).await.unwrap();
                far.shutdown().await.unwrap();
                reader.await.unwrap();
                let mut heard = Vec::new();
                far.read_to_end(&mut heard).await.unwrap();
                assert_eq!(heard, NEXT);
            }
        }
    }

    #[tokio::test]
    async fn an_answer_behind_a_mark_that_was_not_the_last_is_inflated() {
        let (mut server, client) = pair(64);
        let (mut client, lines) = (client, ["* 1 EXISTS\r\n", "* 2 EXISTS\r\n", "A1 OK\r\n"]);
        client.may_end();
        tokio::spawn(async move {
            for line in lines {
                server.write_all(line.as_bytes()).await.unwrap();
                server.flush().await.unwrap();
            }
        });
        let mut read = String::new();
        client.read_to_string(&mut read).await.unwrap();
        assert_eq!(read, lines.concat());
    }

    #[tokio::test]
    async fn a_bomb_is_a_fault_before_it_has_grown() {
        let bomb = deflated(&vec![0; 64 * 1024 * 1024], FlushCompress::Sync);
        assert!(bomb.len() < 80 * 1024);
        let error = read(&bomb, GROWTH).await.unwrap_err();
        let Fault::InflatedTooFar { received, limit } = fault(&error) else { panic!("{error}") };
        assert_eq!(*limit, 1024 * 1024 + 100 * received);
        assert!(*limit < 16 * 1024 * 1024);
        // Who wants to may let it.
        let growth = Growth { octets: 0, ratio: 2000 };
        assert_eq!(read(&bomb, growth).await.unwrap(), 64 * 1024 * 1024);
    }

    proptest::proptest! {
        #[test]
        fn no_octets_make_it_panic(octets: Vec<u8>) {
            let mut stream = over(duplex(1).0, &[]);
            stream.incoming.extend_from_slice(&octets);
            let mut room = [0; 512];
            while matches!(stream.inflate(&mut room), Ok(given) if given > 0) {}
        }
    }
}
