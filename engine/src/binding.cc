// What JavaScript sees of the engine: one class, whose calls take ids and numbers, and one callback for events.
// src/net/engine.ts is its only caller and knows the meaning of each argument.
#include <napi.h>

#include <cerrno>
#include <climits>
#include <cstring>

#include "loop.h"

namespace sluice {
namespace {

uint64_t whole(const Napi::Value& value) {
  const double number = value.As<Napi::Number>().DoubleValue();
  // Infinity stands for no bound.
  if (!(number < 9007199254740992.0)) return UINT64_MAX;
  return number <= 0 ? 0 : static_cast<uint64_t>(number);
}

uint32_t small(const Napi::Value& value) { return static_cast<uint32_t>(std::min<uint64_t>(whole(value), UINT32_MAX)); }

class Engine : public Napi::ObjectWrap<Engine>, public Host {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Engine",
                       {
                           InstanceMethod<&Engine::Listen>("listen"),
                           InstanceMethod<&Engine::Admit>("admit"),
                           InstanceMethod<&Engine::CloseListener>("closeListener"),
                           InstanceMethod<&Engine::Connect>("connect"),
                           InstanceMethod<&Engine::Addresses>("addresses"),
                           InstanceMethod<&Engine::ReadHead>("readHead"),
                           InstanceMethod<&Engine::EndIdle>("endIdle"),
                           InstanceMethod<&Engine::EndHead>("endHead"),
                           InstanceMethod<&Engine::ReadBytes>("readBytes"),
                           InstanceMethod<&Engine::CancelRead>("cancelRead"),
                           InstanceMethod<&Engine::Unread>("unread"),
                           InstanceMethod<&Engine::TellBroken>("tellBroken"),
                           InstanceMethod<&Engine::Write>("write"),
                           InstanceMethod<&Engine::Send>("send"),
                           InstanceMethod<&Engine::Drained>("drained"),
                           InstanceMethod<&Engine::StartRelay>("relay"),
                           InstanceMethod<&Engine::Grant>("grant"),
                           InstanceMethod<&Engine::StopRelay>("stopRelay"),
                           InstanceMethod<&Engine::Moved>("moved"),
                           InstanceMethod<&Engine::Watch>("watch"),
                           InstanceMethod<&Engine::IsQuiet>("isQuiet"),
                           InstanceMethod<&Engine::End>("end"),
                           InstanceMethod<&Engine::Linger>("linger"),
                           InstanceMethod<&Engine::Close>("close"),
                           InstanceMethod<&Engine::TcpInfo>("tcpInfo"),
                           InstanceMethod<&Engine::ReadCounters>("readCounters"),
                           InstanceMethod<&Engine::Dispose>("dispose"),
                       });
  }

  // (onEvents: (count) => void, ring: Float64Array, window: Uint8Array, info: Float64Array, bound of descriptors)
  explicit Engine(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Engine>(info), env_(info.Env()) {
    callback_ = Napi::Persistent(info[0].As<Napi::Function>());
    ring_ = Napi::Persistent(info[1].As<Napi::Float64Array>());
    window_ = Napi::Persistent(info[2].As<Napi::Uint8Array>());
    info_ = Napi::Persistent(info[3].As<Napi::Float64Array>());
    if (ring_.Value().ElementLength() < Loop::kRow * Loop::kRows || window_.Value().ElementLength() < Loop::kWindow ||
        info_.Value().ElementLength() < 16) {
      Napi::RangeError::New(env_, "engine: a shared buffer is too small").ThrowAsJavaScriptException();
      return;
    }
    numbers_ = info_.Value().Data();
    context_ = std::make_unique<Napi::AsyncContext>(env_, "sluice_engine");
    uv_loop_t* uv = nullptr;
    napi_get_uv_event_loop(env_, &uv);
    const auto bound = static_cast<DescriptorBound>(std::min<uint64_t>(whole(info[4]), INT_MAX));
    loop_ = std::make_unique<Loop>(uv, *this, bound, ring_.Value().Data(), reinterpret_cast<char*>(window_.Value().Data()));
    int error = 0;
    if (!loop_->start(error)) {
      loop_.reset();
      Napi::Error::New(env_, std::string("engine: ") + strerror(error)).ThrowAsJavaScriptException();
      return;
    }
    // Alive until disposed of, or until its environment ends.
    Ref();
    napi_add_async_cleanup_hook(env_, &Engine::env_ends, this, &cleanup_);
  }

 private:
  void dispatch(size_t events) override {
    if (disposed_) return;
    Napi::HandleScope scope(env_);
    callback_.MakeCallback(env_.Global(), {Napi::Number::New(env_, static_cast<double>(events))}, *context_);
    if (env_.IsExceptionPending()) {
      // A bug of ours in JavaScript: let the process see it as uncaught rather than go on half blind.
      const Napi::Error error = env_.GetAndClearPendingException();
      napi_fatal_exception(env_, error.Value());
    }
  }

  static void env_ends(napi_async_cleanup_hook_handle handle, void* self) {
    auto* engine = static_cast<Engine*>(self);
    engine->cleanup_ = handle;
    engine->ending_ = true;
    engine->stop();
  }

  void stop() {
    if (disposed_ || !loop_) return;
    disposed_ = true;
    loop_->stop(
        [](void* self) {
          auto* engine = static_cast<Engine*>(self);
          const auto cleanup = engine->cleanup_;
          const bool ending = engine->ending_;
          engine->loop_.reset();
          if (!ending) {
            Napi::HandleScope scope(engine->env_);
            engine->Unref();
          }
          napi_remove_async_cleanup_hook(cleanup);
        },
        this);
  }

  bool alive() const { return !disposed_; }

  // (host, port, backlog, reusePort, ipv6Only, idle, interval, count, userTimeout, congestion) -> id; info[0]: port
  Napi::Value Listen(const Napi::CallbackInfo& info) {
    ListenOptions options;
    options.backlog = static_cast<int>(small(info[2]));
    options.reuse_port = info[3].As<Napi::Boolean>();
    options.ipv6_only = info[4].As<Napi::Boolean>();
    read_options(info, 5, options);
    Address address, bound;
    int error = EINVAL;
    const Id id = alive() && address.parse(text(info[0]), static_cast<uint16_t>(small(info[1])))
                      ? loop_->listen(address, options, bound, error)
                      : 0;
    numbers_[0] = id == 0 ? error : bound.port();
    return number(static_cast<double>(id));
  }

  // (listener, how many more connections it may hand over)
  void Admit(const Napi::CallbackInfo& info) {
    if (alive()) loop_->admit(whole(info[0]), whole(info[1]));
  }

  void CloseListener(const Napi::CallbackInfo& info) {
    if (alive()) loop_->close_listener(whole(info[0]));
  }

  // (host, port, timeout, idle, interval, count, userTimeout, congestion) -> id, or 0 with info[0]: errno
  Napi::Value Connect(const Napi::CallbackInfo& info) {
    SocketOptions options;
    read_options(info, 3, options);
    Address address;
    int error = EINVAL;
    const Id id = alive() && address.parse(text(info[0]), static_cast<uint16_t>(small(info[1])))
                      ? loop_->connect(address, options, small(info[2]), error)
                      : 0;
    numbers_[0] = error;
    return number(static_cast<double>(id));
  }

  // (id) -> [remoteHost, remotePort, localHost, localPort]
  Napi::Value Addresses(const Napi::CallbackInfo& info) {
    Address remote, local;
    if (alive()) loop_->addresses(whole(info[0]), remote, local);
    Napi::Array result = Napi::Array::New(env_, 4);
    result.Set(0u, remote.host());
    result.Set(1u, remote.port());
    result.Set(2u, local.host());
    result.Set(3u, local.port());
    return result;
  }

  // (id, max, idleTimeout, timeout)
  void ReadHead(const Napi::CallbackInfo& info) {
    if (alive()) loop_->read_head(whole(info[0]), small(info[1]), small(info[2]), small(info[3]));
  }

  // (id)
  void EndIdle(const Napi::CallbackInfo& info) {
    if (alive()) loop_->end_idle(whole(info[0]));
  }

  // (id)
  void EndHead(const Napi::CallbackInfo& info) {
    if (alive()) loop_->end_head(whole(info[0]));
  }

  // (id, max)
  void ReadBytes(const Napi::CallbackInfo& info) {
    if (alive()) loop_->read_bytes(whole(info[0]), small(info[1]));
  }

  // (id)
  void CancelRead(const Napi::CallbackInfo& info) {
    if (alive()) loop_->cancel_read(whole(info[0]));
  }

  // (id, bytes)
  void Unread(const Napi::CallbackInfo& info) {
    const auto bytes = info[1].As<Napi::Uint8Array>();
    if (alive()) loop_->unread(whole(info[0]), reinterpret_cast<const char*>(bytes.Data()), bytes.ElementLength());
  }

  // (id, wanted)
  void TellBroken(const Napi::CallbackInfo& info) {
    if (alive()) loop_->tell_broken(whole(info[0]), info[1].As<Napi::Boolean>());
  }

  // (id, bytes) -> a Written: 0 the peer is gone, 1 taken, 2 Drained will follow, 3 its host stopped acknowledging
  Napi::Value Write(const Napi::CallbackInfo& info) {
    const auto bytes = info[1].As<Napi::Uint8Array>();
    if (!alive()) return number(0);
    const auto written =
        loop_->write(whole(info[0]), reinterpret_cast<const char*>(bytes.Data()), bytes.ElementLength());
    return number(static_cast<double>(written));
  }

  // (id) -> 0 the peer is gone, 1 nothing is queued, 2 Drained will follow
  Napi::Value Drained(const Napi::CallbackInfo& info) {
    bool is_alive = false;
    const bool taken = alive() && loop_->drained(whole(info[0]), is_alive);
    return number(!is_alive ? 0 : taken ? 1 : 2);
  }

  // (id, latin1 text, more) -> more than kMaxQueued bytes wait for the peer
  Napi::Value Send(const Napi::CallbackInfo& info) {
    if (!alive()) return Napi::Boolean::New(env_, false);
    char buffer[4096];
    size_t length = 0;
    napi_get_value_string_latin1(env_, info[1], buffer, sizeof buffer, &length);
    const bool more = info[2].As<Napi::Boolean>();
    if (length < sizeof buffer - 1) {
      return Napi::Boolean::New(env_, loop_->send(whole(info[0]), {buffer, length}, more));
    }
    napi_get_value_string_latin1(env_, info[1], nullptr, 0, &length);
    std::string large(length, '\0');
    napi_get_value_string_latin1(env_, info[1], large.data(), length + 1, &length);
    return Napi::Boolean::New(env_, loop_->send(whole(info[0]), large, more));
  }

  // (source, sink or 0, framing, length, output, stallTimeout, budget, maxTrailers) -> true: done already, info[0..1] as in stopRelay
  Napi::Value StartRelay(const Napi::CallbackInfo& info) {
    if (!alive()) return Napi::Boolean::New(env_, false);
    auto relay = std::make_unique<Relay>();
    relay->sink = whole(info[1]);
    relay->framing = static_cast<FramingKind>(small(info[2]));
    relay->remaining = whole(info[3]);
    relay->output = static_cast<OutputKind>(small(info[4]));
    relay->stall_timeout = small(info[5]);
    relay->budget = whole(info[6]);
    relay->decoder.limit_trailers(small(info[7]));
    Relay result;
    const bool done = loop_->relay(whole(info[0]), std::move(relay), result);
    tell(result);
    return Napi::Boolean::New(env_, done);
  }

  // (source, bytes)
  void Grant(const Napi::CallbackInfo& info) {
    if (alive()) loop_->grant(whole(info[0]), whole(info[1]));
  }

  // (source); info[0]: spliced, info[1]: copied
  void StopRelay(const Napi::CallbackInfo& info) {
    Relay result;
    if (alive()) loop_->stop_relay(whole(info[0]), result);
    tell(result);
  }

  // (source); info as in stopRelay
  void Moved(const Napi::CallbackInfo& info) {
    const Relay* relay = alive() ? loop_->relay_of(whole(info[0])) : nullptr;
    numbers_[0] = relay == nullptr ? 0 : static_cast<double>(relay->spliced);
    numbers_[1] = relay == nullptr ? 0 : static_cast<double>(relay->copied);
  }

  // (id, watched, data)
  void Watch(const Napi::CallbackInfo& info) {
    if (alive()) loop_->watch(whole(info[0]), info[1].As<Napi::Boolean>(), info[2].As<Napi::Boolean>());
  }

  // (id) -> nothing unread, not gone
  Napi::Value IsQuiet(const Napi::CallbackInfo& info) {
    return Napi::Boolean::New(env_, alive() && loop_->is_quiet(whole(info[0])));
  }

  // (id)
  void End(const Napi::CallbackInfo& info) {
    if (alive()) loop_->end(whole(info[0]));
  }

  // (id, bytes, timeout, delivers)
  void Linger(const Napi::CallbackInfo& info) {
    if (alive()) loop_->linger(whole(info[0]), whole(info[1]), small(info[2]), info[3].As<Napi::Boolean>());
  }

  // (id, reset)
  void Close(const Napi::CallbackInfo& info) {
    if (alive()) loop_->close(whole(info[0]), info[1].As<Napi::Boolean>());
  }

  // (id) -> known; info[0]: rtt in microseconds, info[1]: segments retransmitted
  Napi::Value TcpInfo(const Napi::CallbackInfo& info) {
    uint32_t rtt = 0, retransmits = 0;
    const bool known = alive() && loop_->tcp_info(whole(info[0]), rtt, retransmits);
    numbers_[0] = rtt;
    numbers_[1] = retransmits;
    return Napi::Boolean::New(env_, known);
  }

  void ReadCounters(const Napi::CallbackInfo&) {
    if (!alive()) return;
    const Counters& counters = loop_->counters();
    const uint64_t values[] = {counters.spliced,     counters.copied,      counters.discarded, counters.system_calls,
                               counters.accepted,    counters.connected,   counters.pipe_misses,
                               counters.connections, counters.relays,      loop_->pipes().total(),
                               loop_->pipes().in_use()};
    for (size_t i = 0; i < std::size(values); ++i) numbers_[i] = static_cast<double>(values[i]);
  }

  void Dispose(const Napi::CallbackInfo&) { stop(); }

  static std::string text(const Napi::Value& value) { return value.As<Napi::String>().Utf8Value(); }
  Napi::Value number(double value) const { return Napi::Number::New(env_, value); }

  void tell(const Relay& relay) {
    numbers_[0] = static_cast<double>(relay.spliced);
    numbers_[1] = static_cast<double>(relay.copied);
  }

  static void read_options(const Napi::CallbackInfo& info, size_t at, SocketOptions& options) {
    options.keepalive_idle = static_cast<int>(small(info[at]));
    options.keepalive_interval = static_cast<int>(small(info[at + 1]));
    options.keepalive_count = static_cast<int>(small(info[at + 2]));
    options.user_timeout = static_cast<int>(small(info[at + 3]));
    options.congestion = text(info[at + 4]);
  }

  Napi::Env env_;
  Napi::FunctionReference callback_;
  Napi::Reference<Napi::Float64Array> ring_;
  Napi::Reference<Napi::Uint8Array> window_;
  Napi::Reference<Napi::Float64Array> info_;
  double* numbers_ = nullptr;
  std::unique_ptr<Napi::AsyncContext> context_;
  std::unique_ptr<Loop> loop_;
  napi_async_cleanup_hook_handle cleanup_ = nullptr;
  bool disposed_ = false;
  bool ending_ = false;
};

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("Engine", Engine::define(env));
  return exports;
}

}  // namespace
}  // namespace sluice

// NODE_API_MODULE registers by a global constructor only when loaded; the module itself keeps no global state.
static Napi::Object Init(Napi::Env env, Napi::Object exports) { return sluice::Init(env, exports); }
NODE_API_MODULE(sluice_engine, Init)
