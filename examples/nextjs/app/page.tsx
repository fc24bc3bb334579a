export default function Page() {
  return <p>Notes of everybody</p>;
}
