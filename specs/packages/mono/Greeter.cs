// Answers each connection with a line of HTTP.
using System;
using System.Net;
using System.Net.Sockets;
using System.Text;

public class Greeter
{
    public static void Main()
    {
        string greeting = Environment.GetEnvironmentVariable("GREETING") ?? "hello";
        var listener = new TcpListener(IPAddress.Any, 8081);
        listener.Start();
        while (true) {
            try {
                using (TcpClient client = listener.AcceptTcpClient())
                using (NetworkStream stream = client.GetStream()) {
                    stream.ReadTimeout = 2000;
                    stream.Read(new byte[4096], 0, 4096);
                    string body = greeting + " from " + Environment.MachineName + "\n";
                    byte[] answer = Encoding.UTF8.GetBytes("HTTP/1.0 200 OK\r\nContent-Length: " + Encoding.UTF8.GetByteCount(body) + "\r\n\r\n" + body);
                    stream.Write(answer, 0, answer.Length);
                }
            } catch (Exception e) {
                Console.Error.WriteLine(e.Message);
            }
        }
    }
}
